"""The number of workers on this machine, and the resources of each."""

import os
from collections.abc import Sequence
from pathlib import Path

from kerasbatch.spec.sweep.single_run import SingleRun

RATES_OF_SEARCH = 3
"""The learning rates that a search tries at least: the start and its neighbours."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    devices = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return sorted(name for name in devices if name.isdigit())


def default_jobs() -> int:
    """Return the default number of workers: one per GPU, or per core."""
    return len(gpus()) or cores()


def threads_per_run(runs: int) -> int:
    """Return the number of threads of each run of a sweep.

    It depends on the machine and the sweep, not on the number of workers: sums are divided between
    threads, so that their last digits depend on the number of threads.
    """
    return max(1, cores() // runs)


def least_runs(singles: Sequence[SingleRun]) -> int:
    """Return the number of runs of a sweep, or the least of a search for its learning rates."""
    return len(singles) * (RATES_OF_SEARCH if singles[0].is_auto else 1)
