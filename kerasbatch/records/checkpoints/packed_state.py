"""The state of a training as JSON and arrays; reading it back runs no code.

JSON holds None, booleans, numbers and texts as they are, and lists as lists. Everything else is a
mapping with one key that names its type: `dict` (pairs, whose keys may be numbers), `tuple`,
`array` and `scalar` (the position of an array).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes  # the types of Keras that NumPy lacks, such as bfloat16
import numpy as np

from kerasbatch.types import Array

State = Any
"""None, booleans, numbers, texts, arrays; and lists, tuples and dicts of them."""
_LEAVES = (type(None), bool, int, float, str)
_NUMERIC = "biufc"
"""The kinds of NumPy types that are numbers."""


def is_plain(value: Any) -> bool:
    """Return whether a value is a `State`."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in _NUMERIC or hasattr(ml_dtypes, value.dtype.name)
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    if type(value) is dict:
        return all(type(key) in _LEAVES and is_plain(inner) for key, inner in value.items())
    return type(value) in _LEAVES


def pack(state: State) -> tuple[Any, list[Array]]:
    """Return a state as a value for JSON, and its arrays.

    Raises:
        TypeError: if a value is not plain.
    """
    arrays: list[Array] = []
    return _packed(state, arrays), arrays


def _packed(value: State, arrays: list[Array]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        arrays.append(array.astype(array.dtype.newbyteorder("="), copy=False))
        return {"array" if isinstance(value, np.ndarray) else "scalar": len(arrays) - 1}
    if type(value) is list:
        return [_packed(inner, arrays) for inner in value]
    if type(value) is tuple:
        return {"tuple": [_packed(inner, arrays) for inner in value]}
    if type(value) is dict:
        return {"dict": [[key, _packed(inner, arrays)] for key, inner in value.items()]}
    if type(value) in _LEAVES:
        return value
    raise TypeError(f"the state of a training holds a {type(value).__name__}")


def unpack(packed: Any, arrays: Sequence[Array]) -> State:
    """Return the state of a value that `pack` returned.

    Raises:
        ValueError: if the value is not one of `pack`.
    """
    if isinstance(packed, list):
        return [unpack(inner, arrays) for inner in packed]
    if not isinstance(packed, Mapping):
        return packed
    try:
        ((kind, content),) = packed.items()
        if kind == "tuple":
            return tuple(unpack(inner, arrays) for inner in content)
        if kind == "dict":
            return {key: unpack(inner, arrays) for key, inner in content}
        return arrays[content] if kind == "array" else {"scalar": arrays[content][()]}[kind]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError("holds no state of a training") from error
