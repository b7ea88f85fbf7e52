"""Arrays that Python code passed."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.array_trees import Arrays
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.tables.passed_tables import PLACE, pair_of, passed_parts
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.data_schema import ObjectData
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array

_OF_TABLES = ("columns", "exclude", "index", "categorical", "order", "missing", "missing_values")


def passed_arrays(data: ObjectData, access: Access) -> RawArrays:
    """Return passed arrays as the arrays of a data set.

    Raises:
        SpecError: if a part is no array, or the spec has keys of tables.
    """
    parts = passed_parts(data, access)
    if keys := [key for key in _OF_TABLES if getattr(data, key) is not None]:
        message = "belongs to a DataFrame with named columns, and x is an array"
        raise SpecError([Fault((*PLACE, key), message) for key in keys])
    x_val, y_val = pair_of(parts, "validation")
    x_test, y_test = pair_of(parts, "test")
    weight = parts.get("weight")
    return RawArrays(
        _inputs(parts["x"], "x"),
        _array(parts["y"], "y"),
        None if x_test is None else _inputs(x_test, "x of test"),
        None if y_test is None else _array(y_test, "y of test"),
        x_val=None if x_val is None else _inputs(x_val, "x of validation"),
        y_val=None if y_val is None else _array(y_val, "y of validation"),
        weight=None if weight is None else _array(weight, "weight"),
    )


def _inputs(value: Any, name: str) -> Arrays:
    """Return one array, or those of several inputs by name or in a tuple."""
    if isinstance(value, Mapping):
        return {str(key): _array(each, f"{name}.{key}") for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_array(each, f"{name}.{number}") for number, each in enumerate(value))
    return _array(value, name)


def _array(value: Any, name: str) -> Array:
    """Return a passed value as an array; objects as numbers, or as text if they are that."""
    if isinstance(value, np.ma.MaskedArray):
        message = f"{name} is a masked array, whose masked values would be trained on; fill it"
        raise SpecError.at(PLACE, message)
    try:
        array: Array = value if is_memory_mapped(value) else np.asarray(value)
    except ValueError as error:
        raise SpecError.at(PLACE, f"{name} is no array: {error}") from None
    if array.dtype != object:
        return array
    if all(isinstance(item, str) for item in array.ravel()):
        return array.astype(str)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise SpecError.at(PLACE, f"{name} holds objects that are no numbers") from None
