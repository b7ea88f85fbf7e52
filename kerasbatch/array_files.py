"""The files that arrays are mapped from, and a check that they have not changed."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.types import Array

FileState = tuple[int, int]
"""The size of a file in bytes and its time of change in nanoseconds; -1 if it does not exist."""


def is_memory_mapped(array: Any) -> bool:
    """Return whether an array is mapped from a file; a copy is a memmap too, but in memory."""
    return isinstance(array, np.memmap) and array.filename is not None


def file_names(arrays: Iterable[Any]) -> set[str]:
    """Return the files that arrays are mapped from."""
    return {str(array.filename) for array in arrays if is_memory_mapped(array)}


def file_states(arrays: Iterable[Any]) -> dict[str, FileState]:
    """Return the present state of the files that arrays are mapped from."""
    return {file: file_state(file) for file in file_names(arrays)}


def changed_file_message(files: Mapping[str, FileState]) -> str | None:
    """Return a message about the first file that has changed, or None."""
    for file, state in files.items():
        if file_state(file) != state:
            return f"{file} was changed while it was trained on"
    return None


def file_state(file: str) -> FileState:
    """Return the present state of a file."""
    try:
        status = Path(file).stat()
    except FileNotFoundError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


PART_BYTES = 2**26
"""The size of a part in bytes; a mask or a copy of the full array could exceed the memory."""


def parts(array: Array) -> Iterator[tuple[int, Array]]:
    """Yield an array in parts, each with the position of its first row."""
    rows = max(1, PART_BYTES // max(1, array.nbytes // max(1, len(array))))
    for first in range(0, len(array), rows):
        yield first, array[first : first + rows]


def first_not_finite(array: Array) -> tuple[int, int] | None:
    """Return the first row with a value that is not finite and the number of such values; or None.

    Args:
        array: floats, shape (n, ...).
    """
    row, count = None, 0
    for first, part in parts(array):
        finite = np.isfinite(part)
        if not finite.all():
            row = first + int(np.argwhere(~finite)[0][0]) if row is None else row
            count += int((~finite).sum())
    return None if row is None else (row, count)
