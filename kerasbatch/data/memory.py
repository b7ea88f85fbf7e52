"""The memory that data may take: a small file may unpack to more than the machine has."""

import sys
from typing import Any

import psutil

SHARE = 0.5
"""The share of the free memory that the data of a file may take."""


def free_bytes() -> int:
    """Return the free memory of this machine, or what the limit of this process leaves of it."""
    free: Any = psutil.virtual_memory().available
    if sys.platform == "linux":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            free = min(free, limit - psutil.Process().memory_info().vms)
    return int(free)


def excess(size: float) -> str | None:
    """Return a message if data take too much memory, to follow their description; else None.

    Args:
        size: the memory in bytes that they take while they are read.
    """
    free = free_bytes()
    if size <= SHARE * free:
        return None
    return f"{size / 1e9:.1f} GB, more than {SHARE:.0%} of the {free / 1e9:.1f} GB of free memory"
