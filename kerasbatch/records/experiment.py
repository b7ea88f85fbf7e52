"""The directory of an experiment: owned by one process at a time, and its table of runs.

results/<experiment>/experiment.yaml, runs.csv, .lock
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kerasbatch.errors import DirectoryInUseError, SpecError
from kerasbatch.records.files import columns_of, write_csv, write_text
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.run_row import RUN_COLUMNS

LEAST_ROOM = 10_000_000
"""Bytes that must be free before a training begins."""


@dataclass(frozen=True)
class Experiment:
    """The directory of an experiment: `results/<name>`."""

    path: Path

    def run(self, run_id: str) -> RunDirectory:
        """Return the directory of a run; it may not exist yet."""
        return RunDirectory(self.path / run_id)

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Make the directory and own it; the kernel lets go of it when the process ends.

        Raises:
            SpecError: if it cannot be made or written.
            DirectoryInUseError: if another process owns it.
        """
        lock, owner = FileLock(self.path / ".lock", timeout=0), self.path / ".owner"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            _check_room(self.path)
            write_text(owner, f"{os.getpid()}\n")
        except Timeout:
            pid = owner.read_text(encoding="utf-8").strip() if owner.exists() else "unknown"
            message = f"{self.path} is in use by another process (pid {pid}); wait, or stop it"
            raise DirectoryInUseError(message) from None
        except OSError as error:
            message = f"the results directory {self.path} cannot be written: {error.strerror}"
            raise SpecError.at((), f"{message}; choose another with --results") from error
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)
            lock.release()

    def write_spec(self, text: str) -> None:
        """Keep the spec as it was given."""
        write_text(self.path / "experiment.yaml", text)

    def write_runs(self) -> None:
        """Derive runs.csv from the run directories."""
        inside = (path for path in self.path.iterdir() if path.is_dir())
        folders = sorted((p for p in inside if not p.name.startswith(".")), key=_natural)
        found = [RunDirectory(folder).record() for folder in folders]
        rows = [record["row"] for record in found if record]
        write_csv(self.path / "runs.csv", columns_of(rows, RUN_COLUMNS), rows)


def _check_room(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < LEAST_ROOM:
        needed = f"{LEAST_ROOM // 10**6} MB are needed at least"
        raise OSError(errno.ENOSPC, f"only {free / 1e6:.1f} MB are free, {needed}")


def _natural(path: Path) -> list[tuple[str, int]]:
    """Order names so that batch_size=2 comes before batch_size=16."""
    return [(text, int(part or 0)) for text, part in re.findall(r"([^0-9]*)([0-9]*)", path.name)]
