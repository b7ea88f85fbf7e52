"""The data of a `fit` as arrays of one length, with Keras' own rules; what is wrong with them."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.array_files import first_not_finite, in_a_file
from kerasbatch.engine import keras_private
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.options import Arrays
from kerasbatch.errors import Fault, SpecError


@dataclass(frozen=True)
class FitArrays:
    """What to train on and what to validate on, as arrays.

    Args:
        train: (x, y, sample_weight), without those that were not given at the end.
        validation: the same for validation, or None.
        obstacle: what in them only Keras itself trains with, or None.
    """

    train: Arrays
    validation: Arrays | None
    obstacle: str | None


def non_array_kind(*values: Any) -> str | None:
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


def makes_batches(x: Any) -> bool:
    """Tell whether x is no array of examples, but makes batches itself."""
    kinds = tf.data.Dataset | types.GeneratorType | keras.utils.PyDataset
    return isinstance(x, kinds)


def gather_arrays(given: FitArguments) -> FitArrays:
    """Bring the data of a `fit` into order.

    Raises:
        SpecError: if arrays are of different lengths or empty; all faults at once.
        ValueError: for what Keras itself refuses, such as weights given twice.
    """
    nested = keras.tree.is_nested(given.y)
    if given.class_weight is not None and (given.sample_weight is not None or nested):
        raise ValueError("class_weight needs a single output, and no sample_weight beside it")
    train, held = _arrays("", (given.x, given.y, given.sample_weight)), None
    if given.validates_on_arrays:
        held = _held_back(given)
    elif given.validation_data is None and given.validation_split:
        train, held = keras_private.split_for_validation(train, given.validation_split)
    if given.class_weight is not None:
        weights = keras_private.weights_of_classes(train[1], given.class_weight)
        train = (*train[:2], np.asarray(weights))
    obstacle = _not_finite("", train) or (held and _not_finite("validation_data.", held))
    return FitArrays(_given(train), None if held is None else _given(held), obstacle or None)


def gather_validation(given: FitArguments) -> tuple[Arrays, str | None]:
    """Return the arrays that a `fit` validates on, and what in them only Keras takes, or None.

    Raises:
        SpecError: as `gather`.
    """
    held = _held_back(given)
    return _given(held), _not_finite("validation_data.", held)


def _held_back(given: FitArguments) -> Arrays:
    return _arrays("validation_data.", keras.utils.unpack_x_y_sample_weight(given.validation_data))


def _given(arrays: Arrays) -> Arrays:
    """Leave out what was not given, as Keras does: (x,), (x, y) or (x, y, sample_weight)."""
    x, y, sample_weight = arrays
    if sample_weight is not None:
        return x, y, sample_weight
    return (x, y) if y is not None else (x,)


def _arrays(prefix: str, parts: Arrays) -> Arrays:
    """Return (x, y, sample_weight) as arrays, all of one length."""
    names = _names(prefix)
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
    faults += [Fault((name,), "there is no example") for name, leaf in named if not len(leaf)]
    if faults:
        raise SpecError(faults)
    return arrays


def _names(prefix: str) -> list[str]:
    return [prefix + name for name in ("x", "y", "sample_weight")]


def _refuse_lists(names: list[str], parts: Arrays) -> None:
    faults = []
    if parts[0] is None:
        faults.append(Fault((names[0],), "there is none; give arrays of examples"))
    for name, part in zip(names, parts, strict=True):
        if any(isinstance(leaf, str) for leaf in keras.tree.flatten(part)):
            told = "found text; load what is in the file, as with np.load(path, mmap_mode='r')"
            faults.append(Fault((name,), told))
        elif any(isinstance(leaf, int | float) for leaf in keras.tree.flatten(part)):
            faults.append(Fault((name,), f"found Python numbers; write np.array({name})"))
    if faults:
        raise SpecError(faults)


def _named(names: list[str], arrays: Arrays) -> Iterator[tuple[str, Any]]:
    """Yield every array with a name such as x['left']."""
    for name, part in zip(names, arrays, strict=True):
        for path, leaf in keras.tree.flatten_with_path(part):
            if leaf is not None:
                yield name + "".join(f"[{key!r}]" for key in path), leaf


def _not_finite(prefix: str, arrays: Arrays) -> str | None:
    """Say which values are not finite; some losses mask them, so Keras may train with them."""
    for name, array in _named(_names(prefix), arrays):
        if array.dtype.kind == "f" and (wrong := first_not_finite(array)):
            row, count = wrong
            values = "1 value is" if count == 1 else f"{count:,} values are"
            return f"in {name} {values} not finite, the first in example {row:,}"
    return None


def _array(value: Any, column: bool) -> Any:
    if value is None:
        return None
    if in_a_file(value):
        return value  # what is larger than memory is turned into other types chunk by chunk
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


def first_batches(arrays: Arrays, size: int, steps: int | None) -> Arrays:
    """Return the first `steps` batches of arrays, or all of them if None."""
    end = None if steps is None else steps * size
    first: Arrays = keras.tree.map_structure(lambda array: array[:end], arrays)
    return first
