"""From the arguments of `fit` to a feed: arrays of one length, weights, validation, a plan."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils

from kerasbatch.engine.feed import Arrays, Feed
from kerasbatch.errors import Fault, SpecError
from kerasbatch.shared_types import Sampling
from kerasbatch.steps import Budget, plan

DEFAULT_BATCH_SIZE = 32
"""What Keras takes where no batch size is given, or all examples if they are fewer."""
LEAST = {"batch_size": 1, "epochs": 1, "initial_epoch": 0, "seed": 0}
"""The least value of a number; 1 for those that are not named here."""


@dataclass(frozen=True)
class Data:
    """What to train on and what to validate on, as arrays.

    Args:
        train: (x, y, sample_weight), without those that were not given at the end.
        validation: the same for validation, or None.
    """

    train: Arrays
    validation: Arrays | None


def not_arrays(*values: Any) -> str | None:
    """Return what kind of data are none that lie in memory as arrays, or None."""
    for leaf in keras.tree.flatten(values):
        if isinstance(leaf, tf.data.Dataset):
            return "a tf.data.Dataset"
        is_array = all(hasattr(leaf, name) for name in ("shape", "dtype", "__len__"))
        is_sparse = hasattr(leaf, "tocsr")
        known = leaf is None or _is_pandas(leaf) or isinstance(leaf, int | float | str)
        if is_sparse or not (is_array or known):
            return f"a {type(leaf).__name__}"
    return None


def whole_numbers(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers as Python's own integers; None stays None.

    Raises:
        SpecError: if one is no whole number or too small; all faults at once.
    """
    faults, numbers = [], {}
    for name, value in given.items():
        least = LEAST.get(name, 1)
        wrong = isinstance(value, bool) or not hasattr(value, "__index__")
        if value is not None and (wrong or operator.index(value) < least):
            faults.append(
                Fault((name,), f"found {value!r}; must be a whole number, {least} or more")
            )
        else:
            numbers[name] = None if value is None else operator.index(value)
    if faults:
        raise SpecError(faults)
    return numbers


def gather(
    x: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
) -> Data:
    """Bring the data of a `fit` into order, with Keras' own rules.

    Raises:
        SpecError: if arrays are of different lengths, empty or not finite; all faults at once.
        ValueError: for what Keras itself refuses, such as weights given twice.
    """
    if not 0 <= validation_split < 1:
        message = f"found {validation_split!r}; must be a share of the examples, 0 up to below 1"
        raise SpecError.at(("validation_split",), message)
    if class_weight is not None and (sample_weight is not None or keras.tree.is_nested(y)):
        raise ValueError("class_weight needs a single output, and no sample_weight beside it")
    train, held = _arrays("", (x, y, sample_weight)), None
    if validation_data is not None:
        parts = data_adapter_utils.unpack_x_y_sample_weight(validation_data)
        held = _arrays("validation_data.", parts)
    elif validation_split:
        train, held = array_slicing.train_validation_split(train, validation_split)
    if class_weight is not None:
        weights = data_adapter_utils.class_weight_to_sample_weights(train[1], class_weight)
        train = (*train[:2], np.asarray(weights))
    return Data(_given(train), None if held is None else _given(held))


def _given(arrays: Arrays) -> Arrays:
    """Leave out what was not given, as Keras does: (x,), (x, y) or (x, y, sample_weight)."""
    x, y, sample_weight = arrays
    if sample_weight is not None:
        return x, y, sample_weight
    return (x, y) if y is not None else (x,)


def _arrays(prefix: str, parts: Arrays) -> Arrays:
    """Return (x, y, sample_weight) as arrays, all of one length and finite."""
    names = [prefix + name for name in ("x", "y", "sample_weight")]
    _refuse_lists(names, parts)
    columns = [True, True, False]  # Keras turns a Series into a column; weights have none
    arrays = tuple(
        keras.tree.map_structure(lambda value, column=column: _array(value, column), part)
        for part, column in zip(parts, columns, strict=True)
    )
    arrays = (*arrays[:2], _ones_for_none(arrays[2]))
    named = list(_named(names, arrays))
    lengths = {name: len(leaf) for name, leaf in named}
    faults = []
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        faults.append(Fault((), f"found examples: {found}; every array must have as many"))
    faults += [fault for name, leaf in named if (fault := _fault(name, leaf))]
    if faults:
        raise SpecError(faults)
    return arrays


def _refuse_lists(names: list[str], parts: Arrays) -> None:
    faults = []
    if parts[0] is None:
        faults.append(Fault((names[0],), "there is none; give arrays of examples"))
    for name, part in zip(names, parts, strict=True):
        if any(isinstance(leaf, int | float | str) for leaf in keras.tree.flatten(part)):
            faults.append(Fault((name,), f"found Python numbers; write np.array({name})"))
    if faults:
        raise SpecError(faults)


def _named(names: list[str], arrays: Arrays) -> Iterator[tuple[str, Any]]:
    """Yield every array with a name such as x['left']."""
    for name, part in zip(names, arrays, strict=True):
        for path, leaf in keras.tree.flatten_with_path(part):
            if leaf is not None:
                yield name + "".join(f"[{key!r}]" for key in path), leaf


def _fault(name: str, array: Any) -> Fault | None:
    if len(array) == 0:
        return Fault((name,), "there is no example")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        row, count = int(np.argwhere(~finite)[0][0]), int((~finite).sum())
        values = "1 value is" if count == 1 else f"{count:,} values are"
        message = f"{values} not finite, the first in example {row:,}; every value must be"
        return Fault((name,), message)
    return None


def _array(value: Any, column: bool) -> Any:
    if value is None:
        return None
    array = np.asarray(value)
    if _is_pandas(value) and column and array.ndim == 1:
        array = array[:, None]
    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def _ones_for_none(weights: Any) -> Any:
    """Fill in the weights of an output that has none beside outputs that have some."""
    given = [leaf for leaf in keras.tree.flatten(weights) if leaf is not None]
    if not given:
        return weights
    return keras.tree.map_structure(
        lambda leaf: np.ones(len(given[0]), keras.config.floatx()) if leaf is None else leaf,
        weights,
    )


def _is_pandas(value: Any) -> bool:
    return hasattr(value, "to_numpy") and hasattr(value, "iloc")


def feed(
    train: Arrays,
    *,
    batch_size: int | Literal["full"] | None,
    epochs: int,
    steps_per_epoch: int | None,
    sampling: Sampling,
    seed: int,
) -> Feed:
    """Plan a `fit`; with `steps_per_epoch`, an epoch goes on in the data where the last one ended.

    Raises:
        SpecError: if a number is out of range.
    """
    n = len(keras.tree.flatten(train)[0])
    size = min(DEFAULT_BATCH_SIZE, n) if batch_size is None else batch_size
    made = plan(n, size, Budget("epochs", epochs))
    if steps_per_epoch is None or steps_per_epoch == made.steps_per_epoch:
        return Feed(train, made, seed, sampling)
    made = plan(steps_per_epoch * made.batch_size, made.batch_size, Budget("epochs", epochs))
    return Feed(train, made, seed, sampling, examples=n)


def first_batches(arrays: Arrays, size: int, steps: int | None) -> Arrays:
    """Return the first `steps` batches of arrays, or all of them if None."""
    end = None if steps is None else steps * size
    first: Arrays = keras.tree.map_structure(lambda array: array[:end], arrays)
    return first
