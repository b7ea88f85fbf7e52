"""The failure of a worker: a crash, a timeout, or memory that ran out, with evidence."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasbatch.records.run_status import RunStatus
from kerasbatch.text import shortened, without_folders


@dataclass(frozen=True)
class WorkerFailure:
    """The failure of a worker process that was training a run.

    Args:
        status: crashed, out_of_memory, timeout, failed or interrupted.
        message: a description.
        error: the end of the process's output, or None.
        retry: whether the run may succeed on another worker, as its own was lost by accident.
    """

    status: RunStatus
    message: str
    error: str | None = None
    retry: bool = False


MAX_SHOWN = 2000
"""The largest number of characters of the output that is kept."""
_ALLOCATOR = re.compile(
    r"bad_alloc|out of memory|\boom\b|resource.?exhausted|cannot allocate memory"
    r"|failed to allocate|unable to allocate|allocation of \d+ exceeds|memoryerror",
    re.IGNORECASE,
)
_LOG_PREFIX = re.compile(r"^[IWEF]\d{4} [\d:.]+ +\d+ \S+\] ")
"""The prefix of a line of TensorFlow's log: level, time, thread, place."""
_COUNTERS = (
    Path("/proc/vmstat"),
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


def killed_for_memory() -> int | None:
    """Return the number of processes that the kernel has killed for memory, or None if unknown."""
    counts = [count for file in _COUNTERS if (count := _oom_kills(file)) is not None]
    return sum(counts) if counts else None


def _oom_kills(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:  # only on Linux, and not on every system
        return None
    match = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(match[1]) if match else None


def failure_of_exit(exit_code: int, output: str, killed_before: int | None) -> WorkerFailure:
    """Return the failure of a process, from its exit code and output.

    Args:
        exit_code: its exit code, or minus the number of the signal that ended it.
        output: the output of the run.
        killed_before: the result of `killed_for_memory` at the start of the run.
    """
    ended = f"its process {_ended(exit_code)}"
    if exit_code == 0:
        return WorkerFailure(RunStatus.CRASHED, ended, last_output(output))
    return failure_of_output(ended, output, killed_before)


def failure_of_output(ended: str, output: str, killed_before: int | None = None) -> WorkerFailure:
    """Return the failure of a process: out of memory if there is evidence, else crashed.

    Args:
        ended: the end of the process, in words.
        output: the output of the run.
        killed_before: the result of `killed_for_memory` at the start of the run; None for a
            process of another machine.
    """
    if evidence := _evidence(output, killed_before):
        return WorkerFailure(RunStatus.OUT_OF_MEMORY, f"{ended}: {evidence}", last_output(output))
    return WorkerFailure(RunStatus.CRASHED, ended, last_output(output))


def failure_of_timeout(seconds: float, output: str) -> WorkerFailure:
    """Return the failure of a run that took longer than its timeout."""
    return WorkerFailure(
        RunStatus.TIMEOUT, f"stopped after the {seconds:g} s of --timeout", last_output(output)
    )


def last_output(output: str) -> str | None:
    """Return the end of an output, or None if it is empty."""
    return without_folders(output[-MAX_SHOWN:]).strip() or None


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended itself with exit code {code}"
    try:
        return f"was ended by signal {-code}, {signal.Signals(-code).name}"
    except ValueError:  # a signal without a name
        return f"was ended by signal {-code}"


def _evidence(output: str, killed_before: int | None) -> str | None:
    """Return the evidence that memory ran out, or None."""
    lines: Iterator[str] = (line for line in output.splitlines() if _ALLOCATOR.search(line))
    if line := next(lines, None):
        return shortened(without_folders(" ".join(_LOG_PREFIX.sub("", line).split())), 300)
    now = killed_for_memory() if killed_before is not None else None
    if now is not None and killed_before is not None and now > killed_before:
        return "the kernel killed a process for want of memory meanwhile"
    return None
