"""The directory of one run: written while it is trained, read back by later commands.

    <run_id>/spec.yaml, history.csv, steps.csv, record.json, ...

A run is finished when its record.json says so, and its files are those that the record names.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.records.files import columns_of, dump_yaml, write_bytes, write_csv, write_text
from kerasbatch.records.record import StoredRecord, damaged_files, read_record, write_record
from kerasbatch.records.run_status import FINISHED, RunStatus
from kerasbatch.spec.schema import Spec

MODELS = {"last": "model.keras", "best": "best.keras"}
"""The files of the models that a spec may ask for by `save`."""
PREPROCESSING = "preprocessing.json"
FILES = (
    "record.json",
    "history.csv",
    "steps.csv",
    "steps_loss.csv",
    "weights.csv",
    "noise.csv",
    PREPROCESSING,
    *MODELS.values(),
)


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        """The name of the directory."""
        return self.path.name

    def start(self, spec: Spec) -> None:
        """Make the directory for a new training; what an earlier one left is no longer finished."""
        self.path.mkdir(parents=True, exist_ok=True)
        for old in FILES:
            (self.path / old).unlink(missing_ok=True)
        write_text(self.path / "spec.yaml", dump_yaml(spec.plain()))

    def write(self, name: str, rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> None:
        """Write a table of the run."""
        write_csv(self.path / name, columns_of(rows, first), rows)

    def save(self, name: str, content: bytes) -> None:
        """Write a file of the run that is no table."""
        write_bytes(self.path / name, content)

    def finish(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write the record; from here on the run has a status. Return it as it was written."""
        return {**record, **write_record(self.path, record)}

    def found(self) -> StoredRecord:
        """Read the record, and check the run's files against it."""
        found = read_record(self.path)
        if found.record is None or found.foreign:
            return found
        if damaged := list(damaged_files(self.path, found.record)):
            return StoredRecord(problem=f"its {damaged[0]} does not match its checksum")
        return found

    def is_finished(self) -> bool:
        """Tell whether there is a finished, undamaged result."""
        return is_finished(self.found())

    def successor(self) -> "RunDirectory":
        """Return a directory beside this one, to train again without losing what is here."""
        return RunDirectory(self.path.with_name(f".rerun-{self.run_id}"))

    def predecessor(self) -> "RunDirectory":
        """Return where this one stands for a moment while its successor takes its place."""
        return RunDirectory(self.path.with_name(f".old-{self.run_id}"))

    def take_over(self, successor: "RunDirectory") -> None:
        """Put a finished successor in this place."""
        old = self.predecessor().path
        shutil.rmtree(old, ignore_errors=True)
        self.path.rename(old)
        successor.path.rename(self.path)
        shutil.rmtree(old)


def is_finished(found: StoredRecord) -> bool:
    """Tell whether a record is that of a finished run."""
    record = None if found.foreign else found.record
    return record is not None and record["status"] in FINISHED


def models_lacking(record: Mapping[str, Any], saved: Iterable[str]) -> list[str]:
    """Return the files of models that a run should have and has not.

    Args:
        record: the record of a finished run; one that has diverged keeps what it has.
        saved: what its spec asks for: last, best.
    """
    if record["status"] == RunStatus.DIVERGED:
        return []
    return [MODELS[which] for which in saved if MODELS[which] not in record["files"]]
