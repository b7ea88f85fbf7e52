"""Every path and every file of a run, written atomically, and read back.

    results/<experiment>/experiment.yaml, runs.csv, .lock
    results/<experiment>/<run_id>/spec.yaml, history.csv, steps.csv, record.json, ...

A file is complete or it is not there: it is written beside its place, flushed to the disk and
moved over the old one. A run is finished when its record.json says so.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from kerasbatch.errors import DirectoryInUse, SpecError
from kerasbatch.spec import sweep
from kerasbatch.spec.keys import Spec

FORMAT = 1
"""The version of the files; a run of another version is not taken for a finished one."""
FINISHED = ("done", "target", "diverged")
# What does not change a run's numbers does not change its identity.
NOT_IDENTITY = ("question", "name", "engine", "sweep")
RUN_COLUMNS = (
    "run_id",
    "status",
    "data_used",
    "train_examples",
    "batch_size",
    "epochs",
    "optimizer",
    "learning_rate",
    "base_learning_rate",
    "seed",
    "engine",
    "planned_steps",
    "observed_steps",
    "document_steps",
    "step_check",
    "examples",
    "train_seconds",
    "compile_seconds",
    "evaluate_seconds",
    "examples_per_second",
    "steps_per_second",
    "peak_memory_mb",
)
MAX_LABEL = 80
LEAST_ROOM = 10_000_000
"""Bytes that must be free before a training begins."""


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the new one, whatever happens."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table; a missing value or None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def columns_of(rows: Iterable[Mapping[str, Any]], first: Sequence[str] = ()) -> list[str]:
    """Return the columns of a table: the given ones, then the others as they appear."""
    return list(dict.fromkeys([*first, *(key for row in rows for key in row)]))


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
            DirectoryInUse: if another process owns it.
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
            raise DirectoryInUse(message) from None
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


def dump_yaml(value: Any) -> str:
    """Write plain values as YAML in their own order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def run_id(spec: Spec, swept: Mapping[str, Any], fingerprint: str, code: str = "") -> str:
    """Name a run: the swept values, readable, and a hash of all that makes its numbers.

    Args:
        spec: the resolved spec of the run.
        swept: the swept keys and values; without any, the batch size is shown.
        fingerprint: the hash of the data really used.
        code: a hash of the Python code that the spec names.
    """
    identity = {key: value for key, value in spec.plain().items() if key not in NOT_IDENTITY}
    for part in ("data", "model"):
        if isinstance(identity[part], dict):  # what files hold counts, not where they lie
            identity[part] = {
                key: value
                for key, value in identity[part].items()
                if key not in ("csv", "npz", "python", "fallback")
            }
    text = json.dumps([identity, fingerprint, code, FORMAT], sort_keys=True)
    short = hashlib.sha256(text.encode()).hexdigest()[:8]
    shown = dict(swept) or {"batch_size": spec.batch_size}
    parts = [f"{key.split('.')[-1]}={sweep.label(value)}" for key, value in shown.items()]
    readable = re.sub(r"[^A-Za-z0-9._=+-]+", "_", ",".join(parts).replace(",", "-"))
    return f"{readable[:MAX_LABEL].strip('.-_')}-{short}"
