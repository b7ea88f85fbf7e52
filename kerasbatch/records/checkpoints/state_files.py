"""Writes the state of a training into a directory, and reads it back.

state.json     the state, and the type, shape and place of every array
arrays.bin     the bytes of all arrays, one after the other
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from kerasbatch.records.checkpoints.packed_state import State, pack, unpack
from kerasbatch.records.stored_files import StoredFileError, open_stored
from kerasbatch.types import Array

STATE, ARRAYS = "state.json", "arrays.bin"


def write_state(folder: Path, state: State) -> dict[str, str]:
    """Write a state into files, flushed to the disk; return the SHA-256 of each.

    Args:
        folder: an empty directory.
        state: the state.

    Raises:
        OSError: if the disk is full.
    """
    packed, arrays = pack(state)
    table = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
    text = json.dumps({"arrays": table, "state": packed})
    return {
        ARRAYS: _write(folder / ARRAYS, [np.ascontiguousarray(array) for array in arrays]),
        STATE: _write(folder / STATE, [np.frombuffer(text.encode(), np.uint8)]),
    }


def _write(path: Path, arrays: Sequence[Array]) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for array in arrays:
            content = array.reshape(-1).view(np.uint8).data
            digest.update(content)
            stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


def read_state(folder: Path) -> State:
    """Return the state in a directory, whose checksums are right.

    Raises:
        StoredFileError: if a file is missing or holds no state.
    """
    try:
        with open_stored(folder / STATE, in_parts=True) as stream:
            content = json.load(stream)
        with open_stored(folder / ARRAYS, in_parts=True) as stream:
            _check_size(stream, content["arrays"])
            arrays = [_array(stream, entry) for entry in content["arrays"]]
        return unpack(content["state"], arrays)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoredFileError(f"holds no state of a training ({error})") from error


def _check_size(stream: Any, table: Sequence[dict[str, Any]]) -> None:
    """Raise ValueError if the file has another size than all arrays; none is made before."""
    sizes = [math.prod(entry["shape"]) * _dtype(entry["dtype"]).itemsize for entry in table]
    if sum(sizes) != os.fstat(stream.fileno()).st_size or min(sizes, default=0) < 0:
        raise ValueError(f"{ARRAYS} has the wrong size")


def _array(stream: Any, entry: dict[str, Any]) -> Array:
    array: Array = np.empty(tuple(entry["shape"]), _dtype(entry["dtype"]))
    stream.readinto(array.reshape(-1).view(np.uint8).data)
    return array


def _dtype(name: str) -> Any:
    return np.dtype(getattr(ml_dtypes, name, name))
