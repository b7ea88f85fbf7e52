"""The content hashes of files, known again by path, size, time and inode."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from kerasbatch.atomic_files import write_text

FOLDER = "hashes"
Stamp = tuple[int, int, int]
"""The size of a file in bytes, its time of change in nanoseconds, and its inode."""
SETTLED = 2.0
"""The age in seconds of the last change from which on a stamp tells the content: a file may change
twice within the resolution of its time."""


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp of a file."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class FileHashes:
    """The hashes of the files of one folder, kept in a file of the cache.

    Args:
        cache: the folder of the cache.
        folder: the folder of the files.
    """

    def __init__(self, cache: Path, folder: Path) -> None:
        name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
        self._file = cache / FOLDER / f"{name}.json"
        self._known = self._read()

    def of(self, stamps: Mapping[str, Stamp]) -> dict[str, str] | None:
        """Return the hashes of files, or None if one of them is unknown or has changed.

        Args:
            stamps: their present stamps, by name.
        """
        hashes = {}
        for name, stamp in stamps.items():
            known = self._known.get(name)
            if known is None or tuple(known[:3]) != stamp:
                return None
            hashes[name] = str(known[3])
        return hashes

    def remember(self, stamps: Mapping[str, Stamp], hashes: Mapping[str, str]) -> None:
        """Keep the hashes of files whose last change is not too recent.

        Args:
            stamps: their stamps before they were read, by name.
            hashes: their hashes, by name.
        """
        now = time.time_ns()
        kept = {
            name: [*stamp, hashes[name]]
            for name, stamp in stamps.items()
            if name in hashes and now - stamp[1] > SETTLED * 1e9
        }
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(self._file, json.dumps(kept))
        self._known = kept

    def _read(self) -> dict[str, list[object]]:
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        are_known = isinstance(known, dict) and _are_lists(known.values())
        return known if are_known else {}


def _are_lists(values: Iterable[object]) -> bool:
    return all(isinstance(value, list) and len(value) == 4 for value in values)
