"""The checkpoints of a run: one directory each, of which the newest whole one is read.

    <run_id>/checkpoints/step-1200/checkpoint.json, state.json, arrays.bin

A checkpoint is written beside the others, flushed to the disk, and renamed last, so a process that
is killed leaves whole checkpoints only. Checksums find one that was damaged later.
"""

import errno
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.atomic_files import TEMPORARY, sync, write_text
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.records.checkpoints.state_files import (
    ARRAYS,
    STATE,
    StateContent,
    read_state,
    state_content,
    write_content,
)
from kerasbatch.records.record import checksum_of
from kerasbatch.records.stored_files import StoredFileError, hash_stored, read_stored

FOLDER = "checkpoints"
"""The name of the folder of all checkpoints in the directory of a run."""
FORMAT = 1
"""The version of the files of a checkpoint."""
KEPT = 2
"""The checkpoints that are kept while a run goes on: the last one, and the one before."""
_MANIFEST, _PREFIX = "checkpoint.json", "step-"
_KINDS = {
    **dict.fromkeys(("run_id", "engine"), str),
    **dict.fromkeys(("files", "versions", "machine"), dict),
    **dict.fromkeys(("budget", "resumed", "saved", "models"), list),
}
"""The keys of the manifest that are read, and the types of their values."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Args:
        path: its directory.
        step: the steps of the run so far.
        facts: the run that it belongs to, the versions and the machine that wrote it.
    """

    path: Path
    step: int
    facts: Mapping[str, Any]

    def state(self) -> State:
        """Return the state of the training."""
        return read_state(self.path)


@dataclass(frozen=True)
class CheckpointFolder:
    """The folder of the checkpoints of a run; it need not exist."""

    path: Path

    def write(self, step: int, state: State, facts: Mapping[str, Any]) -> None:
        """Write the state of a training; otherwise like `write_content`."""
        self.write_content(step, state_content(state), facts)

    def write_content(self, step: int, content: StateContent, facts: Mapping[str, Any]) -> None:
        """Write a checkpoint, and delete those that are older than the one before.

        Args:
            step: the steps of the run so far.
            content: the state of the training, as the content of files.
            facts: the run that it belongs to, the versions and the machine.

        Raises:
            OSError: if the disk is full, or the folder was deleted.
        """
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, "its folder is a link")
        self.path.mkdir(exist_ok=True)
        self._delete_temporary()
        temporary = self.path / f".{_PREFIX}{step}{TEMPORARY}"
        try:
            temporary.mkdir()
            files = write_content(temporary, content)
            manifest = {"format": FORMAT, "step": step, **facts, "files": files}
            manifest["checksum"] = checksum_of(manifest)
            write_text(temporary / _MANIFEST, json.dumps(manifest, indent=2) + "\n")
            sync(temporary)
            shutil.rmtree(self.path / f"{_PREFIX}{step}", ignore_errors=True)  # a damaged one
            temporary.rename(self.path / f"{_PREFIX}{step}")
            sync(self.path)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        self.keep(KEPT)

    def newest(
        self, fits: Callable[[Checkpoint], bool] = lambda checkpoint: True
    ) -> Iterator[Checkpoint | str]:
        """Yield checkpoints, the newest first; for a damaged one, a message about it.

        Args:
            fits: whether a checkpoint is asked for, by its step and its facts; the state of others
                is not read.
        """
        for step in reversed(self._steps()):
            try:
                checkpoint = self._described(step)
                if fits(checkpoint):
                    _verify(checkpoint)
                    yield checkpoint
            except (StoredFileError, FileNotFoundError) as error:
                reason = "is incomplete" if isinstance(error, FileNotFoundError) else str(error)
                yield f"the checkpoint of step {step:,} {reason}"

    def keep(self, count: int) -> None:
        """Delete all but the newest checkpoints."""
        for step in self._steps()[:-count]:
            shutil.rmtree(self.path / f"{_PREFIX}{step}", ignore_errors=True)

    def delete(self) -> None:
        """Delete the folder; of a link, nothing that it leads to."""
        shutil.rmtree(self.path, ignore_errors=True)

    def delete_after(self, step: int) -> None:
        """Delete the checkpoints after a step, which cannot be used."""
        for later in self._steps():
            if later > step:
                shutil.rmtree(self.path / f"{_PREFIX}{later}", ignore_errors=True)

    def move_to(self, other: "CheckpointFolder") -> None:
        """Move the folder, if there is one, to a place where there is none."""
        if self._steps() and not other.path.exists():
            self.path.rename(other.path)

    def has_any(self) -> bool:
        """Return whether there is a checkpoint, whole or not."""
        return bool(self._steps())

    def last_step(self) -> int:
        """Return the step of the newest checkpoint, whole or not; 0 without one."""
        return max(self._steps(), default=0)

    def _steps(self) -> list[int]:
        """Return the steps of all checkpoints, ascending."""
        if self.path.is_symlink():
            return []
        numbers = (path.name.removeprefix(_PREFIX) for path in self.path.glob(f"{_PREFIX}*"))
        return sorted(int(number) for number in numbers if number.isdecimal())

    def _described(self, step: int) -> Checkpoint:
        """Return a checkpoint whose manifest is right; its state may be damaged."""
        path = self.path / f"{_PREFIX}{step}"
        if path.is_symlink():
            raise StoredFileError("is a link, which is not followed")
        return Checkpoint(path, step, _manifest(path))

    def _delete_temporary(self) -> None:
        for left in self.path.glob(f".{_PREFIX}*{TEMPORARY}"):
            shutil.rmtree(left, ignore_errors=True)


def _verify(checkpoint: Checkpoint) -> None:
    """Raise a StoredFileError if the state of a checkpoint does not match its checksums."""
    for name in (STATE, ARRAYS):
        if hash_stored(checkpoint.path / name) != checkpoint.facts["files"].get(name):
            raise StoredFileError(f"is damaged: {name} does not match its checksum")


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(read_stored(path / _MANIFEST))
        written = manifest.pop("checksum")
        is_whole = written == checksum_of(manifest)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise StoredFileError(f"is damaged: {_MANIFEST} cannot be read") from error
    if not is_whole:
        raise StoredFileError(f"is damaged: {_MANIFEST} does not match its checksum")
    if manifest.get("format") != FORMAT:
        raise StoredFileError("was written by another version of kerasbatch")
    wrong = [key for key, kind in _KINDS.items() if not isinstance(manifest.get(key), kind)]
    if wrong:
        raise StoredFileError(f"is damaged: {_MANIFEST} has no {wrong[0]}")
    return manifest
