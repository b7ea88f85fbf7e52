"""The arrays that a Python function of the user returns."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.data.arrays import RawArrays
from kerasbatch.errors import Location, SpecError
from kerasbatch.spec.data_schema import PythonData
from kerasbatch.spec.trust import Access
from kerasbatch.user_code import calls

PYTHON_LOCATION: Location = ("data", "python")
LEGAL = "(x, y), (x, y, weight) or ((x, y), (x_test, y_test))"


def python_arrays(data: PythonData, access: Access) -> RawArrays:
    """Return the arrays that a function returns; x may be several inputs, by name or in a tuple.

    Raises:
        SpecError: without trust, for an error of the function, or for what are no arrays.
    """
    name = data.python
    returned = calls.call(name, access, PYTHON_LOCATION, arguments=data.arguments or {})
    parts, weight = _parts(returned, name)
    if any(isinstance(leaf, np.ma.MaskedArray) for part in parts for leaf in _inputs(part)):
        message = (
            f"{name} returned a masked array, whose masked values would be trained on; fill it"
        )
        raise SpecError.at(PYTHON_LOCATION, message)
    try:
        x, y, x_test, y_test = [*map(_arrays, parts), None, None][:4]
        weights = None if weight is None else np.asarray(weight)
        return RawArrays(x, y, x_test, y_test, weight=weights)
    except ValueError as error:
        message = f"{name} returned a value that is not an array: {error}"
        raise SpecError.at(PYTHON_LOCATION, message) from None


def _parts(returned: Any, name: str) -> tuple[list[Any], Any]:
    """Return x and y, of one part or of two, and the weights or None."""
    if not isinstance(returned, tuple | list) or len(returned) not in (2, 3):
        message = f"{name} returned {_describe(returned)}; must return {LEGAL}"
        if hasattr(returned, "element_spec") or hasattr(returned, "__next__"):
            message += f"; for a dataset or a generator, write data: {{dataset: {name}}}"
        raise SpecError.at(PYTHON_LOCATION, message)
    first, second = returned[:2]
    if len(returned) == 3:
        return [first, second], returned[2]
    is_pair = isinstance(first, tuple) and len(first) == 2
    if is_pair and isinstance(second, tuple | list) and len(second) == 2:
        return [*first, *second], None
    if is_pair and not hasattr(second, "__len__"):
        message = f"{name} returned {_describe(second)} second; {LEGAL}"
        raise SpecError.at(PYTHON_LOCATION, message)
    return [first, second], None


def _inputs(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, tuple) else [value]


def _arrays(value: Any) -> Any:
    """Return one array, or those of several inputs; an array in a file stays there."""
    if isinstance(value, Mapping):
        return {str(name): _arrays(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_arrays, value))
    return value if is_memory_mapped(value) else np.asarray(value)


def _describe(value: Any) -> str:
    count = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    return f"{type(value).__name__}{count}"
