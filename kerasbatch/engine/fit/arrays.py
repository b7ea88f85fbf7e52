"""The data of a `fit` as arrays of one length, by the rules of Keras; all faults at once."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasbatch.array_files import first_not_finite, is_memory_mapped
from kerasbatch.engine import keras_private
from kerasbatch.engine.data_private import is_dataset
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays
from kerasbatch.errors import Fault, SpecError


@dataclass(frozen=True)
class FitArrays:
    """The training and validation data of a `fit`, as arrays.

    Args:
        train: (x, y, sample_weight), without trailing parts that are None.
        validation: the same for validation, or None.
        obstacle: the reason why only Keras can train on the values, or None.
    """

    train: Arrays
    validation: Arrays | None
    obstacle: str | None


def non_array_kind(*values: Any) -> str | None:
    """Return the kind of the first value that is not an array in memory, or None."""
    for leaf in keras.tree.flatten(values):
        if is_dataset(leaf):
            return "a tf.data.Dataset"
        is_array = all(hasattr(leaf, name) for name in ("shape", "dtype", "__len__"))
        is_sparse = hasattr(leaf, "tocsr")
        is_plain = leaf is None or _is_pandas(leaf) or isinstance(leaf, int | float | str)
        if is_sparse or not (is_array or is_plain):
            return f"a {type(leaf).__name__}"
        if is_array and _holds_objects(leaf):
            return "an array of text or of objects"
    return None


def _holds_objects(array: Any) -> bool:
    """Return whether an array holds text or Python objects; a frame is cast by its columns."""
    if _is_pandas(array):
        return False
    dtype = array.dtype
    is_text = getattr(dtype, "name", "") == "string"  # a type of TensorFlow
    return is_text or getattr(dtype, "kind", "") in ("S", "U", "O")


def makes_batches(x: Any) -> bool:
    """Return whether x is a dataset, a generator or a PyDataset, which produce batches."""
    return is_dataset(x) or isinstance(x, types.GeneratorType | keras.utils.PyDataset)


def validates_on_arrays(arguments: FitArguments) -> bool:
    """Return whether the validation data of a `fit` are arrays."""
    data = arguments.validation_data
    return data is not None and not non_array_kind(data)


def gather_arrays(arguments: FitArguments) -> FitArrays:
    """Return the data of a `fit` as arrays.

    Raises:
        SpecError: if arrays are of different lengths or empty; all faults at once.
        ValueError: if Keras would refuse the arguments, such as two kinds of weights.
    """
    nested = keras.tree.is_nested(arguments.y)
    weighs_classes = arguments.class_weight is not None
    if weighs_classes and (arguments.sample_weight is not None or nested):
        raise ValueError("class_weight needs a single output, and no sample_weight beside it")
    train = _arrays("", (arguments.x, arguments.y, arguments.sample_weight))
    held_out = None
    if validates_on_arrays(arguments):
        held_out = _held_out(arguments)
    elif arguments.validation_data is None and arguments.validation_split:
        train, held_out = keras_private.split_for_validation(train, arguments.validation_split)
    if weighs_classes:
        weights = keras_private.weights_of_classes(train[1], arguments.class_weight)
        train = (*train[:2], np.asarray(weights))
    obstacle = _not_finite("", train) or (held_out and _not_finite("validation_data.", held_out))
    validation = None if held_out is None else _drop_trailing_none(held_out)
    return FitArrays(_drop_trailing_none(train), validation, obstacle or None)


def gather_training_arrays(x: Any, y: Any, sample_weight: Any) -> Arrays:
    """Return (x,), (x, y) or (x, y, sample_weight) as arrays of one length.

    Raises:
        SpecError: as `gather_arrays`.
    """
    return _drop_trailing_none(_arrays("", (x, y, sample_weight)))


def gather_validation(arguments: FitArguments) -> tuple[Arrays, str | None]:
    """Return the validation arrays of a `fit`, and the reason why only Keras can use them, or None.

    Raises:
        SpecError: as `gather_arrays`.
    """
    held_out = _held_out(arguments)
    return _drop_trailing_none(held_out), _not_finite("validation_data.", held_out)


def _held_out(arguments: FitArguments) -> Arrays:
    unpacked = keras.utils.unpack_x_y_sample_weight(arguments.validation_data)
    return _arrays("validation_data.", unpacked)


def _drop_trailing_none(arrays: Arrays) -> Arrays:
    """Return arrays without trailing parts that are None, as Keras does."""
    x, y, sample_weight = arrays
    if sample_weight is not None:
        return x, y, sample_weight
    return (x, y) if y is not None else (x,)


def _arrays(prefix: str, parts: Arrays) -> Arrays:
    """Return (x, y, sample_weight) as arrays, all of one length."""
    names = _names(prefix)
    _check_kinds(names, parts)
    columns = [True, True, False]  # Keras turns a Series into a column, except for weights
    arrays = tuple(
        keras.tree.map_structure(lambda value, column=column: _array(value, column), part)
        for part, column in zip(parts, columns, strict=True)
    )
    arrays = (*arrays[:2], _fill_missing_weights(arrays[2]))
    named = list(_named(names, arrays))
    lengths = {name: len(leaf) for name, leaf in named}
    faults = []
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        faults.append(Fault((), f"found examples: {counts}; every array must have as many"))
    faults += [Fault((name,), "there is no example") for name, leaf in named if not len(leaf)]
    if faults:
        raise SpecError(faults)
    return arrays


def _names(prefix: str) -> list[str]:
    return [prefix + name for name in ("x", "y", "sample_weight")]


def _check_kinds(names: list[str], parts: Arrays) -> None:
    faults = []
    if parts[0] is None:
        faults.append(Fault((names[0],), "there is none; give arrays of examples"))
    for name, part in zip(names, parts, strict=True):
        if any(isinstance(leaf, str) for leaf in keras.tree.flatten(part)):
            message = "found text; load what is in the file, as with np.load(path, mmap_mode='r')"
            faults.append(Fault((name,), message))
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
    """Return a description of values that are not finite, or None.

    Some losses mask such values, so Keras may train on them.
    """
    for name, array in _named(_names(prefix), arrays):
        if array.dtype.kind == "f" and (not_finite := first_not_finite(array)):
            row, count = not_finite
            values = "1 value is" if count == 1 else f"{count:,} values are"
            return f"in {name} {values} not finite, the first in example {row:,}"
    return None


def _array(value: Any, column: bool) -> Any:
    if value is None:
        return None
    if is_memory_mapped(value):
        return value  # data that may exceed memory are cast chunk by chunk
    array = np.asarray(value)
    if _is_pandas(value) and array.dtype.kind == "O":  # columns of several types
        array = _cast_frame(value)
    if _is_pandas(value) and column and array.ndim == 1:
        array = array[:, None]
    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def _cast_frame(frame: Any) -> Any:
    """Return a DataFrame of several types as floats, as Keras does.

    Raises:
        ObstacleError: if it holds text; Keras has its own message.
    """
    try:
        return frame.astype(keras.config.floatx()).to_numpy()
    except (ValueError, TypeError):
        raise ObstacleError("a DataFrame holds values that are no numbers") from None


def _fill_missing_weights(weights: Any) -> Any:
    """Return weights with ones for outputs without weights, if another output has weights."""
    present = [leaf for leaf in keras.tree.flatten(weights) if leaf is not None]
    if not present:
        return weights
    return keras.tree.map_structure(
        lambda leaf: np.ones(len(present[0]), keras.config.floatx()) if leaf is None else leaf,
        weights,
    )


def _is_pandas(value: Any) -> bool:
    return hasattr(value, "to_numpy") and hasattr(value, "iloc")


def first_batches(arrays: Arrays, size: int, steps: int | None) -> Arrays:
    """Return the first `steps` batches of arrays, or all of them if None."""
    end = None if steps is None else steps * size
    first: Arrays = keras.tree.map_structure(lambda array: array[:end], arrays)
    return first
