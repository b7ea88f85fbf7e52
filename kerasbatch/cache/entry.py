"""An entry of the cache: a folder of npy files with the facts about them.

KEY/facts.json     the facts, and the size and time of every file
KEY/NAME.npy       an array
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.array_files import file_state
from kerasbatch.types import Array

FACTS = "facts.json"
FORMAT = 1
"""The version of the layout; entries of another one are written again."""


@dataclass(frozen=True)
class CacheEntry:
    """An entry.

    Args:
        path: its folder.
        arrays: its arrays, mapped read-only, by name.
        facts: what was stored beside them, as plain values.
        written: the time at which it was written, in ISO 8601.
        source: the data that it was made of, in words.
        is_new: whether this call has written it.
    """

    path: Path
    arrays: Mapping[str, Array]
    facts: Mapping[str, Any]
    written: str
    source: str
    is_new: bool = False

    @property
    def bytes(self) -> int:
        """The size of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def describe(folder: Path, source: str, written: str, facts: Mapping[str, Any]) -> str:
    """Return the content of facts.json for the npy files of a folder."""
    files = {file.name: file_state(str(file)) for file in sorted(folder.glob("*.npy"))}
    content = {"format": FORMAT, "source": source, "written": written, "files": files}
    return json.dumps(content | {"facts": facts}, indent=1)


def open_entry(folder: Path) -> CacheEntry | None:
    """Return the entry of a folder; None if there is none, or if a file of it was changed."""
    content = read_facts(folder)
    if content is None:
        return None
    try:
        files = {name: tuple(state) for name, state in content["files"].items()}
        if any(file_state(str(folder / name)) != state for name, state in files.items()):
            return None
        arrays = {
            name.removesuffix(".npy"): np.load(folder / name, mmap_mode="r") for name in files
        }
        return CacheEntry(folder, arrays, content["facts"], content["written"], content["source"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a damaged entry
        return None


def read_facts(folder: Path) -> dict[str, Any] | None:
    """Return the content of facts.json, or None if the folder is no entry of this format."""
    try:
        content = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_entry = isinstance(content, dict) and content.get("format") == FORMAT
    return content if is_entry else None


def delete_folder(folder: Path) -> None:
    """Delete the folder of an entry, which is no entry any more from the first moment on."""
    (folder / FACTS).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
