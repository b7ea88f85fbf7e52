"""The files that arrays are mapped from, and whether they have changed since."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

State = tuple[int, int]
"""The size of a file in bytes, and when it was changed, in nanoseconds; -1 where it is gone."""


def in_a_file(array: Any) -> bool:
    """Tell whether an array lies in a file; a copy of one is a memmap too, but in memory."""
    return isinstance(array, np.memmap) and array.filename is not None


def names(arrays: Iterable[Any]) -> set[str]:
    """Return the files that some of the arrays are mapped from."""
    return {str(array.filename) for array in arrays if in_a_file(array)}


def states(arrays: Iterable[Any]) -> dict[str, State]:
    """Return the files that some of the arrays are mapped from, as they are now."""
    return {file: _state(file) for file in names(arrays)}


def changed(files: Mapping[str, State]) -> str | None:
    """Say which file is not what it was, or None."""
    for file, state in files.items():
        if _state(file) != state:
            return f"{file} was changed while it was trained on"
    return None


def _state(file: str) -> State:
    try:
        found = Path(file).stat()
    except FileNotFoundError:
        return -1, -1
    return found.st_size, found.st_mtime_ns
