"""The directory of an experiment: owned by one process at a time, and its table of runs.

results/<experiment>/experiment.yaml, runs.csv, .lock
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kerasbatch.errors import DirectoryInUseError, SpecError
from kerasbatch.records.files import sweep_temporary, write_text
from kerasbatch.records.run_directory import RunDirectory

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
        if self.path.is_symlink():
            message = f"{self.path} is a symbolic link; results are written into a folder only"
            raise SpecError.at((), f"{message}: remove the link, or choose another --results")
        lock, owner = FileLock(self.path / ".lock", timeout=0), self.path / ".owner"
        try:
            _check_room(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            write_text(owner, f"{os.getpid()}\n")
            self._recover()
        except Timeout:
            pid = _text(owner) or "unknown"
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

    def runs(self) -> list[RunDirectory]:
        """Return the directories of its runs, by name."""
        inside = (path for path in self.path.iterdir() if path.is_dir())
        return [RunDirectory(p) for p in sorted(inside) if not p.name.startswith(".")]

    def _recover(self) -> None:
        """Finish what a process that was killed left: renames half done, temporary files."""
        for left in list(self.path.glob(".old-*")):
            place = RunDirectory(left.with_name(left.name.removeprefix(".old-")))
            if not place.path.exists() and not place.successor().is_finished():
                left.rename(place.path)
            else:
                shutil.rmtree(left)
        for left in list(self.path.glob(".rerun-*")):
            place = RunDirectory(left.with_name(left.name.removeprefix(".rerun-")))
            if not place.path.exists() and RunDirectory(left).is_finished():
                left.rename(place.path)
            else:
                shutil.rmtree(left)
        for folder in (self.path, *(directory.path for directory in self.runs())):
            sweep_temporary(folder)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace").strip() if path.is_file() else ""


def _check_room(path: Path) -> None:
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < LEAST_ROOM:
        needed = f"{LEAST_ROOM // 10**6} MB are needed at least"
        raise OSError(errno.ENOSPC, f"only {free / 1e6:.1f} MB are free, {needed}")
