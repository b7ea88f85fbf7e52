"""Runs in the form that dashboards take: settings, values over steps, results, tags."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.columns import NOT_MEASURED, RUN_KEYS
from kerasbatch.records.file_names import MODELS, PREPROCESSING
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_row import RUN_COLUMNS
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.runs_csv import flatten_spec
from kerasbatch.spec.schema import keys_where

Setting = str | float | bool
NO_SETTINGS = keys_where(lambda key: not key.describes_run)
"""Keys of a spec that do not describe the run."""
RESULTS = (
    *("observed_steps", "examples", "train_seconds", "compile_seconds", "evaluate_seconds"),
    *("examples_per_second", "steps_per_second", "peak_memory_mb"),
    *("steps_to_target", "examples_to_target", "seconds_to_target"),
)


@dataclass(frozen=True)
class Point:
    """A value at a step.

    Args:
        name: the name of the metric.
        step: the number of steps taken.
        seconds: the training time until then.
        value: the value; not finite where the run diverged.
    """

    name: str
    step: int
    seconds: float
    value: float


@dataclass(frozen=True)
class ExportedRun:
    """One run.

    Args:
        experiment: the name of its experiment.
        run_id: its name.
        status: its status; `unfinished` while it trains.
        started: the start time, in seconds since 1970.
        ended: the end time, in the same unit; None while it trains, or if its process was killed.
        swept: the settings in which the runs of an experiment differ.
        settings: all settings of its spec, by dotted keys.
        points: the values over its steps, in their order.
        results: the measured values of the complete run.
        tags: other texts: the status, a message, versions.
        spec: its resolved spec, as the text of spec.yaml.
        model_files: the files of its saved models and of their preprocessing.
    """

    experiment: str
    run_id: str
    status: str
    started: float
    ended: float | None
    swept: Mapping[str, Setting]
    settings: Mapping[str, Setting]
    points: tuple[Point, ...]
    results: Mapping[str, float]
    tags: Mapping[str, str]
    spec: str
    model_files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def has_failed(self) -> bool:
        """True if the run failed or diverged: it has no model that could be used."""
        return RunStatus(self.status).is_failure or self.status == RunStatus.DIVERGED

    @property
    def last_step(self) -> int:
        """The last step that has a value, to which the results belong."""
        return max((point.step for point in self.points), default=0)


def exported_runs(loaded: Loaded) -> Iterator[ExportedRun]:
    """Yield every run that can be read, in the order of `loaded.runs`."""
    points, runs, records = _PointTables(loaded), loaded.runs, loaded.records
    specs, directories = loaded.specs, loaded.directories
    for key, row in zip(run_keys(runs), runs.to_dict("records"), strict=True):
        record, folder = records[key], directories[key]
        yield ExportedRun(
            experiment=folder.parent.name,
            run_id=folder.name,
            status=str(row["status"]),
            started=_timestamp(record.get("started")) or _start_time(folder),
            ended=_timestamp(record.get("ended")),
            swept=_swept(row, record),
            settings=_settings(specs[key]) | {"batch_size": row["batch_size"]},
            points=tuple(_trained_points(row["status"], points.of_run(key))),
            # Those of an unfinished run change with every evaluation.
            results={} if row["status"] == RunStatus.UNFINISHED else dict(_results(row)),
            tags=dict(_tags(row, record)),
            spec=dump_yaml(dict(specs[key])),
            model_files=tuple(_model_files(folder, record)),
        )


def _model_files(folder: Path, record: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files of the saved models of a run, and of their preprocessing."""
    files = record.get("files") or {}
    models = [name for name in MODELS.values() if name in files]
    for name in [*models, *({PREPROCESSING} & files.keys())] if models else []:
        yield folder / name


def _trained_points(status: str, points: Iterable[Point]) -> Iterator[Point]:
    """Yield points; of a diverged run, without those of the untrained model.

    They could be the only finite ones, and dashboards would show them as its result.
    """
    for point in points:
        if status != RunStatus.DIVERGED or point.step > 0:
            yield point


class _PointTables:
    """The values over the steps of every run."""

    def __init__(self, loaded: Loaded) -> None:
        losses = loaded.step_losses.rename(columns={"loss": "step_loss"})
        measured = {*loaded.history.columns} - {*NOT_MEASURED, *RUN_KEYS, *loaded.swept}
        metrics = [name for name in loaded.history.columns if name in measured]
        self._tables = (
            (_by_run(loaded.history), metrics),
            (_by_run(losses), ["step_loss"]),
            (_by_run(loaded.noise), ["noise_scale"]),
        )

    def of_run(self, key: str) -> Iterator[Point]:
        """Yield the points of one run."""
        for table, names in self._tables:
            if key in table:
                yield from _points(table[key], names)


def _by_run(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): rows for name, rows in table.groupby(run_keys(table), sort=False)}


def _start_time(folder: Path) -> float:
    """Return the start time of an unfinished run: its spec.yaml is written once, at the start."""
    return (folder / "spec.yaml").stat().st_mtime


def _timestamp(text: Any) -> float | None:
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None


def _swept(row: Mapping[Any, Any], record: Mapping[str, Any]) -> dict[str, Setting]:
    common = {name: row[name] for name in ("batch_size", "optimizer", "learning_rate", "seed")}
    common = {key: value for key, value in common.items() if value == value}
    others = {
        key: _setting(value)
        for key, value in (record.get("swept") or {}).items()
        if key.rpartition(".")[2] not in common
    }
    return common | others


def _settings(spec: Mapping[str, Any]) -> dict[str, Setting]:
    """Return the settings of a spec that describe the run, by dotted keys."""
    described = {key: value for key, value in spec.items() if key not in NO_SETTINGS}
    return {key: _setting(value) for key, value in flatten_spec(described).items()}


def _setting(value: Any) -> Setting:
    return value if isinstance(value, str | int | float) else json.dumps(value)


def _points(table: pd.DataFrame, names: list[str]) -> Iterator[Point]:
    for row in table.to_dict("records"):
        seconds = float(row.get("seconds", 0.0))
        for name in names:
            if _is_number(row[name]):
                yield Point(name, int(row["step"]), seconds, float(row[name]))


def _results(row: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    metrics = {name for name in row if str(name).startswith(("test_", "best_"))}
    for name in (*RESULTS, *sorted(map(str, metrics - set(RUN_COLUMNS)))):
        if name in row and _is_number(row[name]):
            yield name, float(row[name])


def _is_number(value: Any) -> bool:
    """Return whether a cell holds a number; an empty cell is NaN."""
    return isinstance(value, int | float) and not math.isnan(value)


def _tags(row: Mapping[Any, Any], record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("status", "data_used", "engine", "step_check", "target"):
        if isinstance(row.get(name), str):
            yield name, row[name]
    texts = {"message": record.get("message"), "git_commit": record.get("git_commit")}
    texts |= {"data_fingerprint": record.get("data_fingerprint")}
    texts |= record.get("versions") or {}
    yield from ((name, value) for name, value in texts.items() if isinstance(value, str) and value)
