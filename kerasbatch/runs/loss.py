"""Why a worker was lost: a crash, a limit of time, or memory, and that only with evidence."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from pebble import ProcessExpired

from kerasbatch.errors import shortened
from kerasbatch.runs.crew import Loss

GRACE = 5.0
"""Seconds within which the pool knows how its process ended; it never learns of exit code 0."""
MAX_SHOWN = 2000
"""Characters of what a lost process printed last that are kept."""
_ALLOCATOR = re.compile(
    r"bad_alloc|out of memory|\boom\b|resource.?exhausted|cannot allocate memory"
    r"|failed to allocate|unable to allocate|allocation of \d+ exceeds|memoryerror",
    re.IGNORECASE,
)
_VMSTAT = Path("/proc/vmstat")
_CGROUPS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))


def killed_for_memory() -> int | None:
    """Return how many processes the kernel has killed for want of memory, or None if unknown."""
    counts = [count for file in (_VMSTAT, *_CGROUPS) if (count := _oom_kills(file)) is not None]
    return sum(counts) if counts else None


def _oom_kills(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:  # only Linux has them, and not every system shows them
        return None
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None


def why(future: "Future[Any]", printed: str, killed_before: int | None) -> Loss:
    """Say how a process ended that was training a run.

    Args:
        future: what the pool knows of the run.
        printed: what the process printed while it trained the run.
        killed_before: what `killed_for_memory` returned when the run began.
    """
    tail = printed[-MAX_SHOWN:].strip() or None
    try:
        error = future.exception(timeout=GRACE)
    except TimeoutError:  # still not known: an exit with code 0
        return Loss("crashed", "its process ended itself, with exit code 0", tail)
    if isinstance(error, TimeoutError):
        return Loss("timeout", f"stopped after the {error.args[1]:g} s of --timeout", tail)
    if not isinstance(error, ProcessExpired):
        return Loss("failed", f"{type(error).__name__}: {_line(str(error))}", tail)
    ended = _ended(int(error.exitcode))
    if evidence := _evidence(printed, killed_before):
        return Loss("out_of_memory", f"its process {ended}: {evidence}", tail)
    words = f"; it printed last: {_line(tail.splitlines()[-1])}" if tail else ""
    return Loss("crashed", f"its process {ended}{words}", tail)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended itself, with exit code {code}"
    try:
        return f"was ended by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"was ended by signal {-code}"


def _evidence(printed: str, killed_before: int | None) -> str | None:
    """Return what shows that memory ran out."""
    lines: Iterator[str] = (line for line in printed.splitlines() if _ALLOCATOR.search(line))
    if line := next(lines, None):
        return _line(line)
    now = killed_for_memory()
    if None not in (now, killed_before) and now != killed_before:
        return "the kernel killed a process for want of memory meanwhile"
    return None


def _line(text: str) -> str:
    return shortened(" ".join(text.split()), 300)
