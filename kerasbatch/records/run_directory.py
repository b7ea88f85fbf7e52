"""The files of one run: written while it is trained, read back by later commands.

    <run_id>/spec.yaml, history.csv, steps.csv, record.json, ...

A run is finished when its record.json says so.
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.records.files import columns_of, dump_yaml, write_csv, write_text
from kerasbatch.spec.keys import Spec

FORMAT = 2
"""The version of the files; a run of another version is not taken for a finished one."""
FINISHED = ("done", "target", "diverged")


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def history(self) -> Path:
        """One row per evaluation."""
        return self.path / "history.csv"

    @property
    def steps(self) -> Path:
        """One row per epoch: the step check."""
        return self.path / "steps.csv"

    @property
    def spec(self) -> Path:
        """The resolved spec of this one run."""
        return self.path / "spec.yaml"

    def start(self, spec: Spec) -> None:
        """Make the directory for a new training; what an earlier one left is no longer finished."""
        self.path.mkdir(parents=True, exist_ok=True)
        for old in ("record.json", "history.csv", "steps.csv", "steps_loss.csv", "weights.csv"):
            (self.path / old).unlink(missing_ok=True)
        write_text(self.spec, dump_yaml(spec.plain()))

    def write(self, name: str, rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> None:
        """Write a table of the run."""
        write_csv(self.path / name, columns_of(rows, first), rows)

    def finish(self, record: Mapping[str, Any]) -> None:
        """Write the record; from here on the run has a status."""
        plain = _without_special_numbers({"format": FORMAT, **record})
        text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
        write_text(self.path / "record.json", text + "\n")

    def record(self) -> dict[str, Any] | None:
        """Read the record, or None where there is none of this format."""
        try:
            record = json.loads((self.path / "record.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None  # a torn file is the record of no finished run
        return record if isinstance(record, dict) and record.get("format") == FORMAT else None

    def finished(self) -> dict[str, Any] | None:
        """Read the record of a finished run, or None."""
        record = self.record()
        return record if record and record["status"] in FINISHED else None

    def successor(self) -> "RunDirectory":
        """Return a directory beside this one, to train again without losing what is here."""
        return RunDirectory(self.path.with_name(f".rerun-{self.run_id}"))

    def take_over(self, successor: "RunDirectory") -> None:
        """Put a finished successor in this place."""
        old = self.path.with_name(f".old-{self.run_id}")
        shutil.rmtree(old, ignore_errors=True)
        self.path.rename(old)
        successor.path.rename(self.path)
        shutil.rmtree(old)


def _without_special_numbers(value: Any) -> Any:
    """Write inf and nan as text, which JSON has no numbers for."""
    if isinstance(value, dict):
        return {key: _without_special_numbers(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
