"""Marks of the processes that use an entry, so that nobody deletes it under them."""

import contextlib
import os
import socket
import time
from pathlib import Path

import psutil

MARK = ".used-by-"
FOREIGN_SECONDS = 86_400
"""The age from which on the mark of another machine, which may be gone, does not count."""
_marked: set[tuple[int, Path]] = set()
"""The entries that are marked, by process: a forked process has its own marks."""


def mark_in_use(entry: Path) -> None:
    """Mark an entry until this process ends; the marks of ended processes are deleted."""
    key = os.getpid(), entry
    if key in _marked:
        return
    mark = entry.with_name(f"{entry.name}{MARK}{socket.gethostname()}-{os.getpid()}")
    with contextlib.suppress(OSError):  # a cache that cannot be written cannot be cleared either
        is_in_use(entry)
        mark.write_text(repr(psutil.Process().create_time()), encoding="utf-8")
        mark.chmod(0o600)
        _marked.add(key)


def is_in_use(entry: Path) -> bool:
    """Return whether another living process uses an entry; delete the marks of dead ones."""
    used = False
    for mark in entry.parent.glob(f"{entry.name}{MARK}*"):
        host, _, process = mark.name.partition(MARK)[2].rpartition("-")
        if host == socket.gethostname() and process.isdigit():
            if int(process) == os.getpid():
                continue
            is_alive = _is_alive(int(process), mark)
        else:
            is_alive = time.time() - _time_of(mark) < FOREIGN_SECONDS
        used = used or is_alive
        if not is_alive:
            mark.unlink(missing_ok=True)
    return used


def _is_alive(process: int, mark: Path) -> bool:
    """Return whether the process that made a mark lives; another one may have its number."""
    try:
        return repr(psutil.Process(process).create_time()) == mark.read_text(encoding="utf-8")
    except (psutil.Error, OSError):
        return False


def _time_of(mark: Path) -> float:
    try:
        return mark.stat().st_mtime
    except FileNotFoundError:
        return 0.0
