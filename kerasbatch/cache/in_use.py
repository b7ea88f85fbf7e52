"""Marks of the processes that use an entry, so that nobody deletes it under them."""

import atexit
import contextlib
import os
import socket
import time
from pathlib import Path

import psutil

MARK = ".used-by-"
FOREIGN_SECONDS = 86_400
"""The age from which on the mark of another machine, which may be gone, does not count."""
_marks: dict[tuple[int, Path], Path] = {}
"""The marks by process and entry: a forked process has its own."""


def mark_in_use(entry: Path) -> None:
    """Mark an entry until this process ends."""
    key = os.getpid(), entry
    if key in _marks:
        return
    mark = entry.with_name(f"{entry.name}{MARK}{socket.gethostname()}-{os.getpid()}")
    with contextlib.suppress(OSError):  # a cache that cannot be written cannot be cleared either
        mark.touch(mode=0o600)
        _marks[key] = mark
        if len(_marks) == 1:
            atexit.register(_forget_marks)


def is_in_use(entry: Path) -> bool:
    """Return whether another living process uses an entry; delete the marks of dead ones."""
    used = False
    for mark in entry.parent.glob(f"{entry.name}{MARK}*"):
        host, _, process = mark.name.partition(MARK)[2].rpartition("-")
        if host == socket.gethostname() and process.isdigit():
            is_alive = psutil.pid_exists(int(process)) and int(process) != os.getpid()
        else:
            is_alive = time.time() - _time_of(mark) < FOREIGN_SECONDS
        used = used or is_alive
        if not is_alive:
            mark.unlink(missing_ok=True)
    return used


def _time_of(mark: Path) -> float:
    try:
        return mark.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _forget_marks() -> None:
    for (process, _), mark in _marks.items():
        if process == os.getpid():
            with contextlib.suppress(OSError):
                mark.unlink(missing_ok=True)
