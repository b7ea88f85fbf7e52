"""The cache: entries by key, written under a lock, whole or not at all."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from kerasbatch.atomic_files import sync
from kerasbatch.cache.entry import FACTS, CacheEntry, delete_folder, describe, open_entry
from kerasbatch.cache.errors import ADVICE, CacheError, cannot_write
from kerasbatch.cache.in_use import mark_in_use
from kerasbatch.cache.places import cache_folder
from kerasbatch.cache.writer import EntryWriter

WRITING = ".writing"
"""The suffix of the folder of an incomplete entry; its lock is held while it is written."""
Facts = Mapping[str, Any]
Write = Callable[[EntryWriter], Facts]
"""Writes the arrays of an entry, and returns the facts about them as plain values."""


class ArrayCache:
    """A folder of entries.

    Args:
        folder: the folder; by default that of the user.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def get(self, key: str) -> CacheEntry | None:
        """Return the entry of a key, or None if there is none, or a damaged one."""
        if (self.folder / key / FACTS).exists():
            mark_in_use(self.folder / key)  # before it is opened, so that nobody deletes it
        return open_entry(self.folder / key)

    def get_or_write(self, key: str, source: str, write: Write) -> CacheEntry:
        """Return the entry of a key, and write it if there is none.

        Args:
            key: the key, a hash of the source and of what is done to it.
            source: the source, in words.
            write: writes it.

        Raises:
            CacheError: if the disk has no room.
        """
        if entry := self.get(key):
            return entry
        with self._lock(key):
            return self.get(key) or self._write(key, source, write, lambda facts: key)

    def write_by_content(
        self, source_key: str, source: str, write: Write, key: Callable[[Facts], str]
    ) -> CacheEntry:
        """Write an entry whose key follows from what is written; return an equal one if there is.

        Args:
            source_key: a key of the source, which no two processes write at the same time.
            source: the source, in words.
            write: writes it.
            key: returns the key of the entry.

        Raises:
            CacheError: if the disk has no room.
        """
        with self._lock(source_key):
            return self._write(source_key, source, write, key)

    def _write(
        self, name: str, source: str, write: Write, key: Callable[[Facts], str]
    ) -> CacheEntry:
        with self._unfinished(name) as folder:
            writer = EntryWriter(folder)
            try:
                facts = write(writer)
            finally:
                writer.close()
            own = key(facts)
            with contextlib.nullcontext() if own == name else self._lock(own):
                return self._finish(folder, source, facts, own)

    def _finish(self, folder: Path, source: str, facts: Facts, key: str) -> CacheEntry:
        """Give a complete folder its name, unless an equal entry has it."""
        if entry := self.get(key):
            return replace(entry, is_new=True)
        EntryWriter(folder).sync()
        content = describe(folder, source, datetime.now(UTC).isoformat("T", "seconds"), facts)
        (folder / FACTS).write_text(content, encoding="utf-8")
        sync(folder / FACTS)
        delete_folder(self.folder / key)  # a damaged one
        folder.rename(self.folder / key)
        sync(self.folder)
        entry = self.get(key)
        if entry is None:
            raise CacheError(f"{self.folder / key} was changed while it was written")
        return replace(entry, is_new=True)

    @contextlib.contextmanager
    def _unfinished(self, name: str) -> Iterator[Path]:
        """Yield an empty folder; delete it at the end if it still has its name."""
        folder = self.folder / f"{name}{WRITING}"
        try:
            shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
            folder.mkdir(mode=0o700)
            yield folder
        except OSError as error:
            if error.filename is not None and not _is_inside(error.filename, self.folder):
                raise
            raise cannot_write(self.folder, error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        locks = self.folder / "locks"
        try:
            locks.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            lock = filelock.FileLock(locks / f"{name}.lock", mode=0o600)
            lock.acquire()
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        try:
            yield
        finally:
            lock.release()


def _is_inside(file: Any, folder: Path) -> bool:
    return Path(str(file)).is_relative_to(folder)


def check_room(folder: Path, size: int) -> None:
    """Raise CacheError if the disk of a folder has no room for arrays of that many bytes."""
    free = shutil.disk_usage(folder).free
    if size > free:
        room = f"{free / 1e6:,.0f} MB free, and the data need {size / 1e6:,.0f} MB"
        raise CacheError(f"{folder.parent} has {room}; {ADVICE}")


def hashed(value: Any) -> str:
    """Return a key for plain values."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
