"""The directory of an experiment, locked by one process at a time, and its runs.

results/<experiment>/experiment.yaml, runs.csv, .lock
"""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kerasbatch.atomic_files import delete_temporary_files, write_text
from kerasbatch.errors import DirectoryInUseError, Fault, SpecError
from kerasbatch.records.file_names import EXPERIMENT
from kerasbatch.records.owner import OWNER, read_owner, write_owner
from kerasbatch.records.run_directory import RunDirectory

MIN_FREE_BYTES = 10_000_000
"""The disk space that must be free before a training begins."""


@dataclass(frozen=True)
class Experiment:
    """The directory of an experiment: `results/<name>`."""

    path: Path

    def run(self, run_id: str) -> RunDirectory:
        """Return the directory of a run; it may not exist yet."""
        return RunDirectory(self.path / run_id)

    @contextlib.contextmanager
    def locked(self, *, trusted: bool = False) -> Iterator[None]:
        """Create the directory and lock it; the kernel releases the lock when the process ends.

        Args:
            trusted: whether it may be a link, and have links in it.

        Raises:
            SpecError: if it cannot be created or written, or has a link in it.
            DirectoryInUseError: if another process has locked it.
        """
        if not trusted:
            self._refuse_links()
        lock, owner = FileLock(self.path / ".lock", timeout=0), self.path / OWNER
        try:
            _check_free_space(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            write_owner(self.path)
            self._recover()
        except Timeout:
            present = read_owner(self.path)
            pid = present.pid if present else "unknown"
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

    def _refuse_links(self) -> None:
        """Raise SpecError if the directory is a link, or has one: it could lead to other files."""
        inside = self.path.iterdir() if self.path.is_dir() else ()
        links = [path for path in (self.path, *sorted(inside)) if path.is_symlink()]
        if links:
            message = "is a symbolic link; results are written into real folders and files only"
            advice = "remove the link, choose another --results, or add --trust"
            raise SpecError(Fault((), f"{path} {message}: {advice}") for path in links)

    def write_spec(self, text: str) -> None:
        """Write the original text of the spec."""
        write_text(self.path / EXPERIMENT, text)

    def runs(self) -> list[RunDirectory]:
        """Return the directories of its runs, sorted by name."""
        inside = (path for path in self.path.iterdir() if path.is_dir())
        return [RunDirectory(p) for p in sorted(inside) if not p.name.startswith(".")]

    def _recover(self) -> None:
        """Complete the renames of a killed process, and delete its temporary files."""
        for path in list(self.path.glob(".old-*")):
            target = RunDirectory(path.with_name(path.name.removeprefix(".old-")))
            if not target.path.exists() and not target.successor().is_finished():
                path.rename(target.path)
            else:
                shutil.rmtree(path)
        for path in list(self.path.glob(".rerun-*")):
            target = RunDirectory(path.with_name(path.name.removeprefix(".rerun-")))
            if not target.path.exists() and RunDirectory(path).is_finished():
                path.rename(target.path)
            else:
                shutil.rmtree(path)
        for folder in (self.path, *(directory.path for directory in self.runs())):
            delete_temporary_files(folder)


def _check_free_space(path: Path) -> None:
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        requirement = f"at least {MIN_FREE_BYTES // 10**6} MB are needed"
        raise OSError(errno.ENOSPC, f"only {free / 1e6:.1f} MB are free, {requirement}")
