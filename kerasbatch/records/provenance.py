"""Where a result came from: versions, machine, git commit, and the peak memory of a run.

The machine is told by what it is, not by its name, so that results can be published.
"""

import functools
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from kerasbatch.version import VERSION

PACKAGES = ("keras", "tensorflow", "numpy")


def provenance() -> dict[str, Any]:
    """Return the versions and the machine of this process."""
    return {"versions": versions(), "machine": machine()}


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of what makes the numbers of a run."""
    return {
        "kerasbatch": VERSION,
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in PACKAGES},
    }


def machine() -> dict[str, Any]:
    """Return what machine this is: its processor, its cores and its system, but not its name."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # only Linux has it
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def git_commit(folder: Path) -> str | None:
    """Return the commit that a folder is at, or None outside of git or without git."""
    command = ["git", "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603  # a constant command
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class PeakMemory:
    """The highest resident memory of this process since the object was made.

    Only Linux lets a process reset its high-water mark; elsewhere the value is unknown.
    """

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self._reset = True
        except OSError:
            self._reset = False

    def megabytes(self) -> float | None:
        """Return the peak in MB (10^6 bytes), or None where it cannot be known."""
        if not self._reset:
            return None
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
        return None
