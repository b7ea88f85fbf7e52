"""The entries of the cache, as `kerasbatch cache` lists and deletes them."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from kerasbatch.cache.array_cache import WRITING
from kerasbatch.cache.entry import delete_folder, read_facts
from kerasbatch.cache.file_hashes import FOLDER as HASHES
from kerasbatch.cache.in_use import is_in_use
from kerasbatch.cache.places import COMPILED

_KEY = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"[\w.-]+\.(npy|shorter)|facts\.json")
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class ListedEntry:
    """An entry in a list.

    Args:
        path: its folder.
        source: the data that it was made of, in words.
        written: the time at which it was written, in ISO 8601.
        bytes: its size on the disk.
    """

    path: Path
    source: str
    written: str
    bytes: int


def entries(folder: Path) -> list[ListedEntry]:
    """Return the entries of a cache, the newest first."""
    listed = map(_listed, _folders(folder))
    return sorted(listed, key=lambda entry: entry.written, reverse=True)


def clear(folder: Path) -> tuple[list[ListedEntry], list[ListedEntry]]:
    """Delete the entries of a cache, and what is left of interrupted ones.

    Only folders with the name and the files of an entry are deleted.

    Returns:
        The deleted entries, and those that other processes use.
    """
    deleted, used = [], []
    for entry in entries(folder):
        if is_in_use(entry.path):
            used.append(entry)
        else:
            delete_folder(entry.path)
            deleted.append(entry)
    for path in folder.glob(f"*{WRITING}"):
        if _KEY.fullmatch(path.name.removesuffix(WRITING)) and _holds_only_ours(path):
            _delete_unlocked(path)
    if not used:
        shutil.rmtree(folder / HASHES, ignore_errors=True)
        shutil.rmtree(folder / COMPILED, ignore_errors=True)
    return deleted, used


def _folders(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _KEY.fullmatch(path.name) and path.is_dir() and _holds_only_ours(path):
            yield path


def _holds_only_ours(path: Path) -> bool:
    return all(_FILE.fullmatch(file.name) and not file.is_dir() for file in path.iterdir())


def _listed(path: Path) -> ListedEntry:
    """Return an entry; one without readable facts was damaged, or is of another version."""
    content = read_facts(path) or {"source": UNREADABLE, "written": ""}
    size = sum(file.stat().st_size for file in path.iterdir())
    return ListedEntry(path, str(content.get("source")), str(content.get("written")), size)


def _delete_unlocked(path: Path) -> None:
    """Delete the folder of an interrupted process; one that is written now is locked."""
    lock = filelock.FileLock(path.parent / "locks" / f"{path.name.removesuffix(WRITING)}.lock")
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(path, ignore_errors=True)
    except (filelock.Timeout, OSError):
        return
