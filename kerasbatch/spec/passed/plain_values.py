"""Values of Python and NumPy as the plain values of a spec."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import show_value


def plain_value(value: Any) -> Any:
    """Return a value of a spec as mappings, lists, numbers and text.

    NumPy's numbers and arrays, ranges and tuples, Series and paths stand for what they hold.

    Raises:
        SpecError: if a key is not text.
    """
    if isinstance(value, Mapping):
        if illegal := [key for key in value if not isinstance(plain_value(key), str | int)]:
            raise SpecError([Fault((), f"the key {show_value(illegal[0])} is not text")])
        return {str(plain_value(key)): plain_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain_value(inner) for inner in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return _from_numpy(value)
    return value


def _from_numpy(value: Any) -> Any:
    if getattr(value, "shape", None):
        return [plain_value(inner) for inner in value]
    plain = value.tolist()
    # A float32 of 0.1 is meant as 0.1, and not as 0.10000000149011612.
    return float(str(value)) if isinstance(plain, float) and value.dtype.itemsize < 8 else plain
