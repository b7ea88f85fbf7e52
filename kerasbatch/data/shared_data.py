"""Data in files that several processes share: written once, mapped into memory by each."""

import json
import mmap
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kerasbatch.array_trees import mapped, named
from kerasbatch.data.run_data import RunData
from kerasbatch.errors import WorkerError

_FIELDS = "facts.json"
_SAVED, _INPUTS, _ARE_NAMED = "saved_as", "inputs", "are_named"
INPUTS = ("x_train", "x_val", "x_test", "y_train", "y_val", "y_test")
"""The fields that may hold several arrays by name."""
ARRAYS = (*INPUTS, "w_train")
"""The fields of arrays."""


class SharedData(Protocol):
    """A store of data by key, shared by several processes."""

    def get(self, key: str, make: Callable[[], RunData]) -> RunData:
        """Return the data of a key; call `make` and share the result if there are none yet."""


@dataclass(frozen=True)
class DataFolder:
    """Data shared by the processes of one machine, as files.

    Args:
        path: the folder; created with the first data.
    """

    path: Path

    def get(self, key: str, make: Callable[[], RunData]) -> RunData:
        """Return the data of a key, mapped into memory."""
        folder = self.path / key
        if not folder.exists():
            save_shared(make(), folder)
        return load_shared(folder)

    def all(self) -> list[str]:
        """Return the keys of all stored data."""
        return sorted(entry.name for entry in self.path.iterdir()) if self.path.exists() else []


def save_shared(data: RunData, folder: Path) -> None:
    """Write data into a new folder, which appears only when it is complete.

    Args:
        data: the data of a run.
        folder: the new folder; must not exist.
    """
    unfinished = folder.with_name(f"{folder.name}.writing")
    unfinished.mkdir(parents=True)
    _check_room(data, unfinished)
    facts: dict[str, Any] = {}
    for field in fields(data):
        value = getattr(data, field.name)
        if field.name in INPUTS and isinstance(value, dict | tuple):
            places = {
                name: _stored(array, unfinished / f"{field.name}.{number}.npy")
                for number, (name, array) in enumerate(named(value).items())
            }
            facts[field.name] = {_INPUTS: places, _ARE_NAMED: isinstance(value, dict)}
        elif isinstance(value, np.ndarray):
            facts[field.name] = _stored(value, unfinished / f"{field.name}.npy")
        else:
            facts[field.name] = value
    (unfinished / _FIELDS).write_text(json.dumps(facts), encoding="utf-8")
    unfinished.rename(folder)


def _stored(array: Any, file: Path) -> dict[str, Any]:
    """Write an array unless it is an unmodified map; return the place of its file."""
    if is_unmodified_map(array):
        place = {"file": str(array.filename), "offset": array.offset}
        return place | {"dtype": array.dtype.str, "shape": array.shape}
    np.save(file, array, allow_pickle=False)
    return {_SAVED: file.name}


def _loaded(fact: Any, folder: Path) -> Any:
    """Return the array at a place, mapped; other facts unchanged."""
    if not isinstance(fact, dict):
        return fact
    if _INPUTS in fact:
        inputs = {name: _loaded(place, folder) for name, place in fact[_INPUTS].items()}
        return inputs if fact[_ARE_NAMED] else tuple(inputs.values())
    if _SAVED in fact:
        return np.load(folder / fact[_SAVED], mmap_mode="c")
    if "file" in fact:
        shape = tuple(fact["shape"])
        return np.memmap(fact["file"], fact["dtype"], "r", fact["offset"], shape)
    return fact


def _check_room(data: RunData, folder: Path) -> None:
    """Raise WorkerError if the disk has no room; NumPy would say only that it wrote less."""
    size = sum(array.nbytes for array in data.arrays() if not is_unmodified_map(array))
    free = shutil.disk_usage(folder).free
    if size > free:
        room = f"has {free / 1e6:,.0f} MB free, and the data need {size / 1e6:,.0f} MB"
        advice = "free some room, or set TMPDIR to another folder"
        raise WorkerError(f"the temporary folder {tempfile.gettempdir()} {room}; {advice}")


def load_shared(folder: Path) -> RunData:
    """Map the data of a folder into memory; all processes that do so share the pages.

    A write to an array changes a private copy of the page, never the file.
    """
    facts = json.loads((folder / _FIELDS).read_text(encoding="utf-8"))
    arrays = {name: _loaded(facts[name], folder) for name in ARRAYS if facts[name] is not None}
    files = {file: tuple(state) for file, state in facts["files"].items()}
    return RunData(**facts | arrays | {"files": files})


def is_unmodified_map(value: Any) -> bool:
    """Return whether a value is an unmodified map of a file, which needs no copy."""
    return (
        isinstance(value, np.memmap)
        and isinstance(value.base, mmap.mmap)
        and value.mode == "r"
        and bool(value.flags.c_contiguous)
    )


def in_memory(data: RunData) -> RunData:
    """Return data whose arrays are in memory rather than mapped from files.

    The result can be sent to machines that do not have the files.
    """
    arrays: dict[str, Any] = {
        name: mapped(np.asarray, value)
        for name in ARRAYS
        if (value := getattr(data, name)) is not None
    }
    return replace(data, **arrays, files={})
