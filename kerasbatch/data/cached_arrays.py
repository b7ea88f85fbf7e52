"""Entries of the cache as the arrays of a data set: `x_train`, `y_train`, `weight_train`, ...."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.array_files import parts
from kerasbatch.cache.entry import CacheEntry
from kerasbatch.text import counted
from kerasbatch.types import Array

FIELDS = {
    "x_train": "x",
    "y_train": "y",
    "weight_train": "weight",
    "x_validation": "x_val",
    "y_validation": "y_val",
    "x_test": "x_test",
    "y_test": "y_test",
}
"""The fields of `RawArrays` by the names of the arrays of an entry."""


def cached_arrays(entry: CacheEntry) -> dict[str, Any]:
    """Return the arrays of an entry by the fields of `RawArrays`; y in memory, classes as text."""
    arrays: dict[str, Any] = {
        field: _inputs(entry, name)
        for name, field in FIELDS.items()
        if any(array.partition(".")[0] == name for array in entry.arrays)
    }
    for name in arrays:
        if not name.startswith("x"):
            arrays[name] = np.array(arrays[name])
        if name.startswith("y") and (classes := entry.facts.get("classes")):
            arrays[name] = np.array(classes)[arrays[name]]
    return arrays


def _inputs(entry: CacheEntry, name: str) -> Any:
    """Return the array of a name, or those of several inputs, such as `x_train.image`."""
    if name in entry.arrays:
        return entry.arrays[name]
    order = entry.facts["inputs"]
    inputs = {key: entry.arrays[f"{name}.{key}"] for key in order}
    return inputs if entry.facts["are_named"] else tuple(inputs.values())


def content_hash(folder: Path, classes: Sequence[str] = ()) -> str:
    """Return a hash of the arrays in a folder: their names, types, shapes and bytes.

    Args:
        folder: the folder.
        classes: the names of the classes that y counts.
    """
    digest = hashlib.sha256("\0".join(classes).encode())
    for file in sorted(folder.glob("*.npy")):
        array = np.load(file, mmap_mode="r")
        digest.update(f"{file.stem} {array.dtype.str} {array.shape}".encode())
        add_bytes(digest, array)
    return digest.hexdigest()


def add_bytes(digest: "hashlib._Hash", array: Array) -> None:
    """Add the bytes of an array in parts, because it may be a large file."""
    for _, part in parts(array):
        digest.update(np.ascontiguousarray(part).tobytes())


def prepared_message(entry: CacheEntry, noun: str) -> str | None:
    """Return the message about an entry that this call has written, or None."""
    if not entry.is_new:
        return None
    count = sum(len(array) for name, array in entry.arrays.items() if name.startswith("y_"))
    size = f"{entry.bytes / 1e6:,.1f} MB"
    return f"prepared {counted(count, noun)} ({size}), kept in {entry.path}"
