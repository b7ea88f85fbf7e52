"""The directory of one run: written while it is trained, read back by later commands.

    <run_id>/spec.yaml, history.csv, steps.csv, record.json, ...

A run is finished if its record.json says so and its files match the checksums of the record.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.atomic_files import write_bytes, write_text
from kerasbatch.errors import SpecError
from kerasbatch.records.checkpoints.checkpoint_folder import FOLDER, CheckpointFolder
from kerasbatch.records.file_names import CHECKPOINTS, HASHED, MODELS, RECORD, SPEC, is_checkpoint
from kerasbatch.records.files import columns_of, dump_yaml, write_csv
from kerasbatch.records.record import StoredRecord, file_problems, read_record, write_record
from kerasbatch.records.run_status import FINISHED, RunStatus
from kerasbatch.spec.schema import Spec
from kerasbatch.text import counted, shortened


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The folder of its checkpoints, which need not exist."""
        return CheckpointFolder(self.path / FOLDER)

    def start(self, spec: Spec, *, goes_on: bool = False) -> None:
        """Create the directory for a training, and delete the files of an earlier one.

        Args:
            spec: the spec of the run.
            goes_on: whether the training goes on with an earlier one, whose models stay.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if not goes_on:
            for old in (*map(self.path.joinpath, HASHED), *self.path.glob(CHECKPOINTS)):
                old.unlink(missing_ok=True)
        (self.path / RECORD).unlink(missing_ok=True)
        write_text(self.path / SPEC, dump_yaml(spec.plain()))

    def write(self, name: str, rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> None:
        """Write a table of the run."""
        write_csv(self.path / name, columns_of(rows, first), rows)

    def save(self, name: str, content: bytes) -> None:
        """Write a file of the run that is not a table."""
        write_bytes(self.path / name, content)

    def delete(self, name: str) -> None:
        """Delete a file of the run, such as a checkpoint that is not kept."""
        (self.path / name).unlink(missing_ok=True)

    def finish(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write the record, which gives the run a status, and return its content."""
        return {**record, **write_record(self.path, record)}

    def read(self) -> StoredRecord:
        """Read the record, and check the run's files against its checksums."""
        stored = read_record(self.path)
        if stored.record is None or stored.other_format:
            return stored
        problem = next(file_problems(self.path, stored.record), None)
        return StoredRecord(problem=problem) if problem else stored

    def checked_record(self) -> dict[str, Any]:
        """Return the record, after a check that no file has changed.

        Raises:
            SpecError: if this is not the directory of a run, or a file is damaged.
        """
        stored = self.read()
        if stored.record is not None and not stored.problem:
            return stored.record
        problem = stored.problem or _not_a_run(self.path)
        raise SpecError.at((), f"{self.path}: {problem}")

    def is_finished(self) -> bool:
        """Return whether there is a finished, undamaged result."""
        return is_finished(self.read())

    def is_kept(self) -> bool:
        """Return whether a new training must keep the result: it is finished, or has a model."""
        stored = self.read()
        begun = stored.record is None and any(self.path.glob(CHECKPOINTS))  # its process was killed
        return is_finished(stored) or bool(_models(stored)) or begun

    def replaces(self, old: "RunDirectory") -> bool:
        """Return whether a new training takes the place of an old result.

        It is finished, or a sweep gave it up; or neither is, and it has taken as many steps and
        saved the same models.
        """
        new, kept = self.read(), old.read()
        if new.record is not None and new.record["status"] == RunStatus.CAPPED:
            return True
        if is_finished(new) or new.record is None or kept.record is None or is_finished(kept):
            return is_finished(new)
        steps = [stored.record["row"]["observed_steps"] for stored in (new, kept) if stored.record]
        return _models(new) >= _models(kept) and steps[0] >= steps[1]

    def successor(self) -> "RunDirectory":
        """Return a directory beside this one, for a new training that keeps the old result."""
        return RunDirectory(self.path.with_name(f".rerun-{self.run_id}"))

    def predecessor(self) -> "RunDirectory":
        """Return the temporary directory of this run while its successor replaces it."""
        return RunDirectory(self.path.with_name(f".old-{self.run_id}"))

    def take_over(self, successor: "RunDirectory") -> None:
        """Replace this directory, which somebody may have deleted, by a successor."""
        old = self.predecessor().path
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            self.path.rename(old)
        successor.path.rename(self.path)
        RunDirectory(old).checkpoints.move_to(self.checkpoints)
        shutil.rmtree(old, ignore_errors=True)


def _not_a_run(path: Path) -> str:
    """Return a message about a directory that is not a run, with the runs inside it."""
    if not path.is_dir():
        return "is not the directory of a run"
    inside = sorted(record_file.parent.name for record_file in path.glob(f"*/{RECORD}"))
    if not inside:
        return "holds no run (no record.json); give the directory of one run"
    names = shortened(", ".join(inside), 300)
    return f"holds {counted(len(inside), 'run')}; give one of them: {names}"


def _models(stored: StoredRecord) -> set[str]:
    """Return the files of the models in a record of this version."""
    if stored.record is None or stored.other_format:
        return set()
    files = stored.record["files"]
    return {name for name in files if name in MODELS.values() or is_checkpoint(name)}


def is_finished(stored: StoredRecord) -> bool:
    """Return whether a record is that of a finished run."""
    record = None if stored.other_format else stored.record
    return record is not None and record["status"] in FINISHED


def missing_models(
    record: Mapping[str, Any], saved: Iterable[str], *, checkpoints: bool = False
) -> list[str]:
    """Return the files of requested models that a run does not have.

    Args:
        record: the record of a settled run; a diverged or capped run needs no models.
        saved: the models that its spec requests: last, best.
        checkpoints: whether it requests those of the training.
    """
    if record["status"] in (RunStatus.DIVERGED, RunStatus.CAPPED):
        return []
    missing = [MODELS[which] for which in saved if MODELS[which] not in record["files"]]
    has_checkpoints = any(map(is_checkpoint, record["files"]))
    return missing if has_checkpoints or not checkpoints else [*missing, CHECKPOINTS]
