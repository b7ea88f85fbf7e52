"""The provenance of a result: versions, machine and git commit; and the peak memory of a run.

The machine is described without its name, so that results can be published.
"""

import functools
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from kerasbatch.version import VERSION

PACKAGES = ("keras", "tensorflow", "numpy")


def provenance(backend: str = "") -> dict[str, Any]:
    """Return the versions and the machine of this process; the backend as in `versions`."""
    return {"versions": versions(backend), "machine": machine()}


def versions(backend: str = "") -> dict[str, str]:
    """Return the versions of Python and of the packages that affect the numbers of a run.

    Args:
        backend: the backend of the run; by default that of Keras in this process.
    """
    is_jax = backend == "jax" or (not backend and _computes_by_jax())
    packages = (*PACKAGES, "jax") if is_jax else PACKAGES
    return {
        "kerasbatch": VERSION,
        "python": platform.python_version(),
        **{package: version for package in packages if (version := _version(package))},
    }


def _computes_by_jax() -> bool:
    """Return whether Keras runs on JAX; TensorFlow imports JAX, too."""
    keras: Any = sys.modules.get("keras")
    return keras is not None and keras.backend.backend() == "jax"


@functools.cache
def _version(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed: JAX need not be."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Return the processor, the number of cores and the system of this machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # the file exists on Linux only
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def git_commit(folder: Path) -> str | None:
    """Return the current commit of a folder, or None outside a repository or without git."""
    command = ["git", "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603  # a constant command
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout.strip() or None


def utc_now() -> str:
    """Return the current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class PeakMemory:
    """The highest resident memory of this process since the object was created.

    Only Linux allows a process to reset its high-water mark; elsewhere the value is unknown.
    """

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self._reset = True
        except OSError:
            self._reset = False

    def megabytes(self) -> float | None:
        """Return the peak in MB (10^6 bytes), or None if it is unknown."""
        if not self._reset:
            return None
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
        return None
