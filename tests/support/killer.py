"""Ends this process at one of the calls that change the disk."""

import os
import stat
from collections.abc import Callable
from typing import Any

POINTS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir")


def is_killed(work: Callable[[], object], at: int, torn: bool) -> bool:
    """Work in a child that is killed at some call; return whether it got so far.

    Args:
        work: what the child does.
        at: which call, from 1.
        torn: whether only half of a file has reached the disk by then.

    Raises:
        SystemExit: if the child fails by itself.
    """
    child = os.fork()
    if child == 0:
        Killer(at, torn)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 9):
        raise SystemExit(f"the child ended with {code} at call {at}")
    return code == 9


class Killer:
    """Ends this process at the n-th of the calls that change the disk.

    Args:
        at: which call, from 1.
        torn: whether only half of a file has reached the disk by then.
    """

    def __init__(self, at: int, torn: bool) -> None:
        self._left, self._torn = at, torn
        for name in POINTS:
            setattr(os, name, self._deadly(getattr(os, name), name))

    def _deadly(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                is_file = name == "fsync" and stat.S_ISREG(os.fstat(arguments[0]).st_mode)
                if is_file and self._torn:
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
                os._exit(9)
            return call(*arguments, **options)

        return counted
