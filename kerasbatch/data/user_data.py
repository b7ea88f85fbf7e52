"""User data: a table, an npz file, npy files, or the result of a Python function.

Errors name columns and lines, never the contents of a file.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.array_files import first_not_finite, is_memory_mapped
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.datasets.read_dataset import read_dataset
from kerasbatch.data.images.read_images import read_images
from kerasbatch.data.numpy_files import NPY_LOCATION, NpzError, npz_names, read_npy, read_npz
from kerasbatch.data.passed_arrays import passed_arrays
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
from kerasbatch.text import short_name
from kerasbatch.types import Array
from kerasbatch.user_code import calls

_NUMBERS = "biuf"
_NPZ_KEYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "sample_weight")


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
    return replace(arrays, **flat)  # type: ignore[arg-type]  # y stays an array


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
        return _npz(access.file(data.npz, ("data", "npz"))), ("data", "npz")
    if isinstance(data, NpyData):
        return read_npy(data, access), NPY_LOCATION
    if isinstance(data, ImageData):
        return read_images(data, access), ("data", "images")
    if isinstance(data, DatasetData):
        return read_dataset(data, access), ("data", "dataset")
    where: Location = ("data", "python")
    return _python(data.python, access, where), where


def _flat(y: Array | None) -> Array | None:
    """Return labels of shape (n, 1) with shape (n,)."""
    is_column = y is not None and y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "iuSU"
    return y[:, 0] if y is not None and is_column else y


def _npz(path: Path) -> RawArrays:
    location: Location = ("data", "npz")
    try:
        arrays = read_npz(path, _NPZ_KEYS)
    except NpzError as error:
        raise SpecError.at(location, f"cannot be read: {error}") from None
    missing = [key for key in ("x_train", "y_train") if key not in arrays]
    if missing:
        held = short_name(", ".join(npz_names(path))) or "nothing"
        raise SpecError.at(location, f"has no {' and no '.join(missing)}; it holds {held}")
    others = [name for name in npz_names(path) if name not in _NPZ_KEYS]
    notice = f"left out of {path.name}: {short_name(', '.join(others))}" if others else None
    x, y, x_val, y_val, x_test, y_test, weight = (arrays.get(key) for key in _NPZ_KEYS)
    return RawArrays(  # x and y are there
        x,  # type: ignore[arg-type]
        y,  # type: ignore[arg-type]
        x_test,
        y_test,
        x_val=x_val,
        y_val=y_val,
        weight=weight,
        notice=notice,
    )


def _python(name: str, access: Access, location: Location) -> RawArrays:
    returned = calls.call(name, access, location)
    legal = "(x, y) or ((x, y), (x_test, y_test))"
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise SpecError.at(location, f"{name} returned {_describe(returned)}; must return {legal}")
    first, second = returned
    if isinstance(first, tuple) and len(first) == 2:
        if not isinstance(second, tuple | list) or len(second) != 2:
            raise SpecError.at(location, f"{name} returned {_describe(second)} second; {legal}")
        parts = [*first, *second]
    else:
        parts = [first, second]
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        message = (
            f"{name} returned a masked array, whose masked values would be trained on; fill it"
        )
        raise SpecError.at(location, message)
    try:
        # An array that is mapped from a file stays mapped.
        arrays = [p if is_memory_mapped(p) else np.asarray(p) for p in parts]
        return RawArrays(arrays[0], arrays[1], *arrays[2:4])  # type: ignore[arg-type]  # at most four
    except ValueError as error:
        message = f"{name} returned a value that is not an array: {error}"
        raise SpecError.at(location, message) from None


def _describe(value: Any) -> str:
    count = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    return f"{type(value).__name__}{count}"


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
    return problems or _weight_problems(arrays)


def _differences(train: Array, other: Array, name: str) -> list[str]:
    """Return the problems of examples beside those of training."""
    if other.shape[1:] != train.shape[1:]:
        shapes = f"{train.shape[1:]} in x_train, {other.shape[1:]} in {name}"
        return [f"an example has shape {shapes}; they must be the same"]
    if (other.dtype == np.uint8) != (train.dtype == np.uint8):
        types = f"{train.dtype}, and {name} has {other.dtype}"
        return [f"x_train has type {types}; bytes are scaled to 0..1, so give both the same type"]
    return []


def _weight_problems(arrays: RawArrays) -> list[str]:
    weight = arrays.weight
    return [] if weight is None else weight_problems(weight, len(arrays.x))


def _pair_problems(x_name: str, x: Array, y_name: str, y: Array) -> list[str]:
    problems = []
    for name, array, kinds in ((x_name, x, _NUMBERS), (y_name, y, _NUMBERS + "U")):
        if array.dtype.kind not in kinds:
            problems.append(f"{name} has type {array.dtype}; must be numbers")
        elif array.ndim < (2 if array is x else 1):
            shape = f"found shape {array.shape}"
            problems.append(f"{name}: {shape}; must be (examples, ...), one row for each example")
        elif array.dtype.kind == "f" and (not_finite := first_not_finite(array)):
            row, count = not_finite
            problems.append(
                f"{name} has {count} values that are not finite numbers, first in row {row}"
            )
    if not problems and len(x) != len(y):
        problems.append(
            f"{x_name} has {len(x):,} examples and {y_name} {len(y):,}; the numbers must be equal"
        )
    if not problems and not x.size:
        problems.append(f"{x_name} is empty (its shape is {x.shape})")
    return problems
