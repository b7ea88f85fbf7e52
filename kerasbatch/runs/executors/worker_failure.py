"""Why a worker was lost: a crash, a limit of time, or memory, and that only with evidence."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasbatch.records.run_status import RunStatus
from kerasbatch.text import shortened, without_folders


@dataclass(frozen=True)
class WorkerFailure:
    """How a process was lost that was training a run.

    Args:
        status: crashed, out_of_memory, timeout, failed or interrupted.
        message: the same for a person.
        error: the last words of the process, or None.
        again: whether the run may well train elsewhere, since nothing was wrong with it.
    """

    status: RunStatus
    message: str
    error: str | None = None
    again: bool = False


MAX_SHOWN = 2000
"""Characters of what a lost process printed last that are kept."""
_ALLOCATOR = re.compile(
    r"bad_alloc|out of memory|\boom\b|resource.?exhausted|cannot allocate memory"
    r"|failed to allocate|unable to allocate|allocation of \d+ exceeds|memoryerror",
    re.IGNORECASE,
)
_LOG_PREFIX = re.compile(r"^[IWEF]\d{4} [\d:.]+ +\d+ \S+\] ")
"""What TensorFlow's log begins its lines with: a level, a time, a thread, a place."""
_COUNTERS = (
    Path("/proc/vmstat"),
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


def killed_for_memory() -> int | None:
    """Return how many processes the kernel has killed for want of memory, or None if unknown."""
    counts = [count for file in _COUNTERS if (count := _oom_kills(file)) is not None]
    return sum(counts) if counts else None


def _oom_kills(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:  # only Linux has them, and not every system shows them
        return None
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None


def failure_of_exit(exit_code: int, printed: str, killed_before: int | None) -> WorkerFailure:
    """Say how a process ended that was training a run.

    Args:
        exit_code: its exit code, or minus the number of the signal that ended it.
        printed: what the process printed while it trained the run.
        killed_before: what `killed_for_memory` returned when the run began.
    """
    ended = f"its process {_ended(exit_code)}"
    if exit_code == 0:
        return WorkerFailure(RunStatus.CRASHED, ended, last_output(printed))
    return failure_of_output(ended, printed, killed_before)


def failure_of_output(ended: str, printed: str, killed_before: int | None = None) -> WorkerFailure:
    """Say how a process ended: out of memory where there is evidence, else crashed.

    Args:
        ended: how it ended, in words.
        printed: what it printed while it trained the run.
        killed_before: what `killed_for_memory` returned when the run began; None for a process
            of another machine.
    """
    if evidence := _evidence(printed, killed_before):
        return WorkerFailure(RunStatus.OUT_OF_MEMORY, f"{ended}: {evidence}", last_output(printed))
    return WorkerFailure(RunStatus.CRASHED, ended, last_output(printed))


def failure_of_timeout(seconds: float, printed: str) -> WorkerFailure:
    """Say that a run took longer than it may."""
    return WorkerFailure(
        RunStatus.TIMEOUT, f"stopped after the {seconds:g} s of --timeout", last_output(printed)
    )


def last_output(printed: str) -> str | None:
    """Return the end of what a process printed, or None."""
    return without_folders(printed[-MAX_SHOWN:]).strip() or None


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended itself with exit code {code}"
    try:
        return f"was ended by signal {-code}, {signal.Signals(-code).name}"
    except ValueError:  # a signal without a name
        return f"was ended by signal {-code}"


def _evidence(printed: str, killed_before: int | None) -> str | None:
    """Return what shows that memory ran out."""
    lines: Iterator[str] = (line for line in printed.splitlines() if _ALLOCATOR.search(line))
    if line := next(lines, None):
        return shortened(without_folders(" ".join(_LOG_PREFIX.sub("", line).split())), 300)
    now = killed_for_memory() if killed_before is not None else None
    if now is not None and killed_before is not None and now > killed_before:
        return "the kernel killed a process for want of memory meanwhile"
    return None
