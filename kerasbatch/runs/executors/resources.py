"""How many workers this machine has room for, and what each of them gets of it."""

import os
from pathlib import Path


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    found = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return sorted(name for name in found if name.isdigit())


def default_jobs() -> int:
    """Return how many workers there are unless somebody says otherwise: one per GPU, or core."""
    return len(gpus()) or cores()


def threads_per_run(runs: int) -> int:
    """Return how many threads each run of a sweep computes with.

    It follows from the machine and the sweep, and not from the number of workers: sums of many
    numbers are divided between threads, and so their last digits depend on how many there are.
    """
    return max(1, cores() // runs)
