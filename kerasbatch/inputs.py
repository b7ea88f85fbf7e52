"""From the arguments of `fit` to a feed: arrays of one length, weights, validation, a plan."""

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils

from kerasbatch.errors import Fault, SpecError
from kerasbatch.feed import Arrays, Feed
from kerasbatch.order import Sampling
from kerasbatch.steps import Budget, plan

DEFAULT_BATCH_SIZE = 32
"""What Keras takes where no batch size is given."""


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
        is_array = hasattr(leaf, "shape") and hasattr(leaf, "dtype") and hasattr(leaf, "__len__")
        if leaf is not None and not is_array and not isinstance(leaf, int | float | str):
            return type(leaf).__name__
    return None


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
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("class_weight and sample_weight cannot both be given; multiply them")
        sample_weight = data_adapter_utils.class_weight_to_sample_weights(y, class_weight)
    arrays = _arrays("x", (x, y, sample_weight))
    if validation_split and validation_data is None:
        arrays, held = array_slicing.train_validation_split(
            arrays, validation_split=validation_split
        )
        return Data(_given(arrays), _given(held))
    if validation_data is None:
        return Data(_given(arrays), None)
    parts = data_adapter_utils.unpack_x_y_sample_weight(validation_data)
    return Data(_given(arrays), _given(_arrays("validation_data", parts)))


def _given(arrays: Arrays) -> Arrays:
    """Leave out what was not given, as Keras does: (x,), (x, y) or (x, y, sample_weight)."""
    x, y, sample_weight = arrays
    if sample_weight is not None:
        return x, y, sample_weight
    return (x, y) if y is not None else (x,)


def _arrays(name: str, parts: Arrays) -> Arrays:
    arrays: Arrays = keras.tree.map_structure(_array, parts)
    leaves = [leaf for leaf in keras.tree.flatten(arrays) if leaf is not None]
    lengths = sorted({len(leaf) for leaf in leaves})
    faults = []
    if len(lengths) > 1:
        found = " and ".join(f"{length:,}" for length in lengths)
        faults.append(f"arrays have {found} examples; every array must have as many")
    elif lengths == [0]:
        faults.append("there is no example to train on")
    for leaf in leaves:
        if leaf.dtype.kind == "f" and not (finite := np.isfinite(leaf)).all():
            row = int(np.argwhere(~finite)[0][0])
            count = int((~finite).sum())
            faults.append(f"{count:,} values are no finite numbers, the first in example {row:,}")
    if faults:
        raise SpecError(Fault((name,), fault) for fault in faults)
    return arrays


def _array(value: Any) -> Any:
    if value is None:
        return None
    array = np.asarray(value)
    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def feed(
    train: Arrays,
    *,
    batch_size: int | Literal["full"] | None,
    epochs: int,
    steps_per_epoch: int | None,
    sampling: Sampling,
    seed: int,
) -> Feed:
    """Plan a `fit`; with `steps_per_epoch`, an epoch takes the first batches of its order.

    Raises:
        SpecError: if a number is out of range.
    """
    n = len(keras.tree.flatten(train)[0])
    size = DEFAULT_BATCH_SIZE if batch_size is None else batch_size
    made = plan(n, size, Budget("epochs", epochs))
    if steps_per_epoch is not None:
        if not 1 <= steps_per_epoch <= made.steps_per_epoch:
            message = (
                f"found {steps_per_epoch}; must be 1 to {made.steps_per_epoch:,}, what there is"
            )
            raise SpecError.at(("steps_per_epoch",), message)
        seen = min(n, steps_per_epoch * made.batch_size)
        made = plan(seen, made.batch_size, Budget("epochs", epochs))
    return Feed(train, made, seed, sampling, examples=n)
