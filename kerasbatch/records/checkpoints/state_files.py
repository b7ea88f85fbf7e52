"""The state of a training as the content of two files, which are written and read back.

state.json     the state, and the type, shape and place of every array
arrays.bin     the bytes of all arrays, one after the other
"""

import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from kerasbatch.records.checkpoints.packed_state import State, pack, unpack
from kerasbatch.records.stored_files import StoredFileError, open_stored
from kerasbatch.types import Array

STATE, ARRAYS = "state.json", "arrays.bin"


StateContent = Mapping[str, Sequence[bytes | memoryview]]
"""The content of each file, in parts, which share the memory of the arrays."""


def state_content(state: State) -> StateContent:
    """Return the content of the files of a state.

    Raises:
        TypeError: if a value is not plain.
    """
    packed, arrays = pack(state)
    table = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
    text = json.dumps({"arrays": table, "state": packed})
    contents = [_bytes(np.ascontiguousarray(array)) for array in arrays]
    return {ARRAYS: contents, STATE: [text.encode()]}


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def write_content(folder: Path, content: StateContent) -> dict[str, str]:
    """Write files, flushed to the disk; return the SHA-256 of each.

    Args:
        folder: an empty directory.
        content: the content of the files of a state.

    Raises:
        OSError: if the disk is full.
    """
    return {name: _write(folder / name, parts) for name, parts in content.items()}


def _write(path: Path, parts: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for part in parts:
            digest.update(part)
            stream.write(part)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


def read_state(folder: Path) -> State:
    """Return the state in a directory, whose checksums are right.

    Raises:
        StoredFileError: if a file is missing or holds no state.
    """
    return _state(lambda name: open_stored(folder / name, in_parts=True))


def state_of_files(files: Mapping[str, bytes]) -> State:
    """Return the state of files whose content is in memory; errors as in `read_state`."""
    return _state(lambda name: io.BytesIO(files[name]))


def _state(opened: Callable[[str], AbstractContextManager[Any]]) -> State:
    try:
        with opened(STATE) as stream:
            content = json.load(stream)
        with opened(ARRAYS) as stream:
            _check_size(stream, content["arrays"])
            arrays = [_array(stream, entry) for entry in content["arrays"]]
        return unpack(content["state"], arrays)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoredFileError(f"holds no state of a training ({error})") from error


def _check_size(stream: BinaryIO, table: Sequence[dict[str, Any]]) -> None:
    """Raise ValueError if the file has another size than all arrays; none is made before."""
    sizes = [math.prod(entry["shape"]) * _dtype(entry["dtype"]).itemsize for entry in table]
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if sum(sizes) != size or min(sizes, default=0) < 0:
        raise ValueError(f"{ARRAYS} has the wrong size")


def _array(stream: Any, entry: dict[str, Any]) -> Array:
    array: Array = np.empty(tuple(entry["shape"]), _dtype(entry["dtype"]))
    stream.readinto(_bytes(array))
    return array


def _dtype(name: str) -> Any:
    return np.dtype(getattr(ml_dtypes, name, name))
