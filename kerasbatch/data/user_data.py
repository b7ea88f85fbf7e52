"""User data: a table, an npz file, npy files, or the result of a Python function.

Errors name columns and lines, never the contents of a file.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kerasbatch.array_files import first_not_finite
from kerasbatch.array_trees import Arrays, length, mapped, named
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.datasets.read_dataset import read_dataset
from kerasbatch.data.datasets.stream import read_stream
from kerasbatch.data.images.read_images import read_images
from kerasbatch.data.npz_arrays import NPZ_LOCATION, npz_arrays
from kerasbatch.data.numpy_files import NPY_LOCATION, read_npy
from kerasbatch.data.passed_arrays import passed_arrays
from kerasbatch.data.python_arrays import PYTHON_LOCATION, python_arrays
from kerasbatch.data.sample_weights import weight_problems
from kerasbatch.data.tables.passed_tables import PLACE, is_table
from kerasbatch.data.tables.table_reader import read_table
from kerasbatch.data.texts.read_texts import read_texts
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.data_schema import (
    DatasetData,
    ImageData,
    NpyData,
    NpzData,
    ObjectData,
    PythonData,
    TableData,
    TextFilesData,
)
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array

_NUMBERS = "biuf"
UserData = TableData | NpzData | NpyData | PythonData | ImageData | TextFilesData | DatasetData


def load_user_data(data: UserData, access: Access, groups: str | None = None) -> RawArrays:
    """Return the arrays of user data; x of numbers, y of numbers or of labels as text.

    Args:
        data: the keys of the spec.
        access: the files and code that the spec may use.
        groups: the column of the groups that validation keeps together, or None.

    Raises:
        SpecError: if they cannot be read or cannot be trained on; all faults at once.
    """
    is_passed_array = isinstance(data, ObjectData) and not is_table(data, access)
    if isinstance(data, TableData) and not is_passed_array:
        return _table(data, access, groups)
    if groups is not None:
        message = "names a column, and these data are no table; write {fraction: 0.2}"
        raise SpecError.at(("validation", "groups"), message)
    if isinstance(data, TextFilesData):
        return read_texts(data, access)
    arrays, where = _arrays(data, access)
    faults = [Fault(where, message) for message in _array_problems(arrays)]
    if faults:
        raise SpecError(faults)
    flat = {name: _flat(getattr(arrays, name)) for name in ("y", "y_val", "y_test")}
    return replace(arrays, **flat)


def _table(data: TableData, access: Access, groups: str | None) -> RawArrays:
    arrays = read_table(data, access, groups)
    if faults := [Fault(("data", "weight"), message) for message in _weight_problems(arrays)]:
        raise SpecError(faults)
    return arrays


def _arrays(data: Any, access: Access) -> tuple[RawArrays, Location]:
    """Return data that are arrays, and the place of their faults in the spec."""
    if isinstance(data, ObjectData):
        return passed_arrays(data, access), PLACE
    if isinstance(data, NpzData):
        return npz_arrays(access.file(data.npz, NPZ_LOCATION)), NPZ_LOCATION
    if isinstance(data, NpyData):
        return read_npy(data, access), NPY_LOCATION
    if isinstance(data, ImageData):
        return read_images(data, access), ("data", "images")
    if isinstance(data, DatasetData):
        read = read_stream if data.stream else read_dataset
        return read(data, access), ("data", "dataset")
    return python_arrays(data, access), PYTHON_LOCATION


def _flat(y: Arrays | None) -> Any:
    """Return labels of shape (n, 1) with shape (n,)."""
    return None if y is None else mapped(_flat_array, y)


def _flat_array(y: Array) -> Array:
    is_column = y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "iuSU"
    return y[:, 0] if is_column else y


def _array_problems(arrays: RawArrays) -> list[str]:
    """Return the problems of arrays from any source."""
    problems = _pair_problems("x_train", arrays.x, "y_train", arrays.y)
    for part in ("val", "test"):
        x, y = getattr(arrays, f"x_{part}"), getattr(arrays, f"y_{part}")
        if (x is None) != (y is None):
            return [f"has only one of x_{part} and y_{part}; give both or neither"]
        if x is not None:
            problems += _pair_problems(f"x_{part}", x, f"y_{part}", y)
            problems += [] if problems else _differences(arrays.x, x, f"x_{part}")
            problems += [] if problems else _target_differences(arrays.y, y, f"y_{part}")
    return problems or _weight_problems(arrays)


def _differences(train: Arrays, other: Arrays, name: str) -> list[str]:
    """Return the problems of examples beside those of training."""
    inputs, others = named(train), named(other)
    if inputs.keys() != others.keys() or isinstance(train, dict) != isinstance(other, dict):
        return [f"x_train and {name} have other inputs: {_listing(inputs)}, {_listing(others)}"]
    pairs = (
        (array, others[key], f"{name}.{key}" if key else name) for key, array in inputs.items()
    )
    return [problem for pair in pairs for problem in _array_differences(*pair)]


def _target_differences(train: Arrays, other: Arrays, name: str) -> list[str]:
    """Return the problems of targets beside those of training."""
    if named(train).keys() == named(other).keys():
        return []
    targets = f"{_listing(named(train))}, {_listing(named(other))}"
    return [f"y_train and {name} have other targets: {targets}"]


def _listing(inputs: Mapping[str, Array]) -> str:
    return " and ".join(inputs) if all(inputs) else "one array"


def _array_differences(train: Array, other: Array, name: str) -> list[str]:
    if other.shape[1:] != train.shape[1:]:
        shapes = f"{train.shape[1:]} in x_train, {other.shape[1:]} in {name}"
        return [f"an example has shape {shapes}; they must be the same"]
    if (other.dtype == np.uint8) != (train.dtype == np.uint8):
        types = f"{train.dtype}, and {name} has {other.dtype}"
        return [f"x_train has type {types}; bytes are scaled to 0..1, so give both the same type"]
    return []


def _weight_problems(arrays: RawArrays) -> list[str]:
    weight = arrays.weight
    return [] if weight is None else weight_problems(weight, length(arrays.x))


def _pair_problems(x_name: str, x: Arrays, y_name: str, y: Arrays) -> list[str]:
    problems = []
    inputs = {f"{x_name}.{name}" if name else x_name: a for name, a in named(x).items()}
    targets = {f"{y_name}.{name}" if name else y_name: a for name, a in named(y).items()}
    least = 1 if len(inputs) > 1 else 2
    arrays = [(name, array, _NUMBERS, least) for name, array in inputs.items()]
    arrays += [(name, array, _NUMBERS + "U", 1) for name, array in targets.items()]
    for name, array, kinds, dimensions in arrays:
        if array.dtype.kind not in kinds:
            problems.append(f"{name} has type {array.dtype}; must be numbers")
        elif array.ndim < dimensions:
            shape = f"found shape {array.shape}"
            problems.append(f"{name}: {shape}; must be (examples, ...), one row for each example")
        elif array.dtype.kind == "f" and (not_finite := first_not_finite(array)):
            row, count = not_finite
            problems.append(
                f"{name} has {count} values that are not finite numbers, first in row {row}"
            )
    first_name, first = next(iter(targets.items()))
    for name, array in (inputs | targets).items():
        if not problems and len(array) != len(first):
            counts = f"{name} has {len(array):,} examples and {first_name} {len(first):,}"
            problems.append(f"{counts}; the numbers must be equal")
        if not problems and not array.size:
            problems.append(f"{name} is empty (its shape is {array.shape})")
    return problems
