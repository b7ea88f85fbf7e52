"""Safe reading of untrusted npz and npy files: arrays of numbers that fit into memory, or an error.

NumPy raises many kinds of errors for a damaged or malicious file, and allocates as much memory as
its headers request.
"""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.array_trees import mapped
from kerasbatch.data import memory
from kerasbatch.data.arrays import RawArrays
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.data_schema import NpyData
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array

_READ_ERRORS = (
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
    """A file that is not an npz file with arrays; the message follows "cannot be read: "."""


def read_npz(path: Path, keys: Iterable[str]) -> dict[str, Array]:
    """Return the arrays of an npz file that have the given keys.

    Raises:
        NpzError: if it is not an npz file, holds anything but arrays, or does not fit into
            memory.
    """
    try:
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                raise NpzError("it is a single array; write x_train and y_train with np.savez")
            _check_unpacked_size(path)
            arrays = {key: stored[key] for key in keys if key in stored.files}
    except PermissionError as error:
        raise NpzError(str(error.strerror)) from None
    except _READ_ERRORS as error:
        pickled = "pickle" in str(error).lower() and zipfile.is_zipfile(path)
        reason = "it holds Python objects" if pickled else "it is not an npz file"
        raise NpzError(f"{reason}; write plain arrays with np.savez") from None
    for key, value in arrays.items():
        if not isinstance(value, np.ndarray):
            raise NpzError(f"its {key} is not an array; write plain arrays with np.savez")
    return arrays


def npz_names(path: Path) -> list[str]:
    """Return the names of the arrays that a readable npz file holds."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _check_unpacked_size(path: Path) -> None:
    """Raise an error for a file that would not fit into memory, before it is unpacked."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if problem := memory.excess(size):
        raise NpzError(f"its arrays take {problem}")


NPY_LOCATION: Location = ("data", "npy")
NPY_TYPES = ("uint8", "float32", "float16")
"""The types of examples; the model gets the values of the file without a copy."""


def read_npy(data: NpyData, access: Access) -> RawArrays:
    """Open the arrays of a spec; examples stay in their files, labels are read.

    Raises:
        SpecError: if a file is missing or is not an npy file of numbers; all faults at once.
    """
    arrays, faults = dict[str, Any](), list[Fault]()
    for part, files in data.npy.parts().items():
        place, by_name = (*NPY_LOCATION, part), dict[str, Array]()
        for name, file in ({"": files} if isinstance(files, str) else files).items():
            try:
                location = (*place, name) if name else place
                by_name[name] = _open_npy(access.file(file, location), location)
            except SpecError as error:
                faults += error.faults
        arrays[part] = by_name.get("", by_name)
    if faults:
        raise SpecError(faults)
    x_test = arrays.pop("x_test", None)
    in_memory = {
        part: mapped(np.array, files) for part, files in arrays.items() if part != "x_train"
    }
    return RawArrays(
        arrays["x_train"],
        in_memory["y_train"],
        x_test,
        in_memory.get("y_test"),
        weight=in_memory.get("sample_weight"),
    )


def _open_npy(path: Path, location: Location) -> Array:
    """Map an array from a file.

    Args:
        path: the file.
        location: its place in the spec, below data.npy.

    Raises:
        SpecError: if it cannot be mapped, or has a type that the model cannot get unchanged.
    """
    try:
        with np.errstate(over="ignore"):  # from an impossible shape in a header
            array = np.lib.format.open_memmap(path, mode="r")
    except PermissionError as error:
        raise SpecError.at(location, f"{path.name} cannot be read: {error.strerror}") from None
    except _READ_ERRORS as error:
        problem = (
            "holds Python objects"
            if "object" in str(error).lower()
            else "is not a complete npy file"
        )
        message = f"{path.name} {problem}; write an array of numbers with np.save"
        raise SpecError.at(location, message) from None
    if str(location[2]).startswith("x_") and array.dtype.name not in NPY_TYPES:
        message = (
            f"{path.name} has type {array.dtype}; must be one of {', '.join(NPY_TYPES)}, because "
            "the values are not converted before training"
        )
        raise SpecError.at(location, message)
    if not array.flags.c_contiguous:
        message = f"{path.name} is stored column by column; save np.ascontiguousarray(array)"
        raise SpecError.at(location, message)
    return array
