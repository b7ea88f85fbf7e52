"""Reading an npz file of anybody: arrays of plain numbers within the memory there is, or an error.

NumPy raises many kinds of errors for a file that is damaged or made to do harm, and allocates what
its headers ask for.
"""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from kerasbatch.shared_types import Array

MEMORY_SHARE = 0.5
"""The share of free memory that the arrays of a file may take."""
_READING = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    MemoryError,
    OverflowError,
    RecursionError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class NpzError(Exception):
    """A file that is no npz file with arrays; the message follows "cannot be read: "."""


def read(path: Path, keys: Iterable[str]) -> dict[str, Array]:
    """Return those of some arrays that a file holds.

    Raises:
        NpzError: if it is no npz file, holds something else than arrays, or more than fits into
            the memory.
    """
    try:
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                raise NpzError("it is a single array; write x_train and y_train with np.savez")
            _check_size(path)
            found = {key: stored[key] for key in keys if key in stored.files}
    except _READING as error:
        pickled = "pickle" in str(error).lower() and zipfile.is_zipfile(path)
        reason = "it holds Python objects" if pickled else "it is no npz file"
        raise NpzError(f"{reason}; write plain arrays with np.savez") from None
    for key, value in found.items():
        if not isinstance(value, np.ndarray):
            raise NpzError(f"its {key} is no array; write plain arrays with np.savez")
    return found


def names(path: Path) -> list[str]:
    """Return the names of the arrays that a readable npz file holds."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _check_size(path: Path) -> None:
    """Refuse a file that would grow beyond the memory, before anything is unpacked."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    free: Any = psutil.virtual_memory().available
    if size > MEMORY_SHARE * free:
        share = f"{MEMORY_SHARE:.0%} of the {free / 1e9:.1f} GB of free memory"
        raise NpzError(f"its arrays take {size / 1e9:.1f} GB, more than {share}")
