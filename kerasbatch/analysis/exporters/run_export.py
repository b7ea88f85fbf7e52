"""Runs as other people's dashboards take them: settings, numbers over steps, results, tags."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis.loading.load import PLACE, Loaded, run_names
from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_row import RUN_COLUMNS
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.runs_csv import flatten_spec
from kerasbatch.spec.schema import keys_where

Setting = str | float | bool
NO_METRICS = frozenset(HISTORY_COLUMNS) - {"learning_rate"}
"""Columns of a history that say when, and not what."""
NO_SETTINGS = keys_where(lambda key: not key.describes_run)
RESULTS = (
    *("observed_steps", "examples", "train_seconds", "compile_seconds", "evaluate_seconds"),
    *("examples_per_second", "steps_per_second", "peak_memory_mb"),
    *("steps_to_target", "examples_to_target", "seconds_to_target"),
)


@dataclass(frozen=True)
class Point:
    """A number at a step.

    Args:
        name: what was measured.
        step: after how many steps.
        seconds: of training until then.
        value: the number; not finite where the run diverged.
    """

    name: str
    step: int
    seconds: float
    value: float


@dataclass(frozen=True)
class ExportedRun:
    """One run.

    Args:
        experiment: the experiment that it belongs to.
        run_id: its name.
        status: of the run; `unfinished` while it goes on.
        started: when, in seconds since 1970.
        ended: the same, or None: it goes on, or its process was killed.
        swept: the settings that tell it from other runs.
        settings: everything that its spec says, by dotted keys.
        points: the numbers over its steps, in their order.
        results: numbers of the whole run, those that were measured.
        tags: texts about it.
        spec: its resolved spec, as the text of spec.yaml.
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

    @property
    def has_failed(self) -> bool:
        """Whether it came to no end of its own; to diverge is one."""
        return RunStatus(self.status).is_failure

    @property
    def last_step(self) -> int:
        """The step after which its results were read."""
        return max((point.step for point in self.points), default=0)


def exported_runs(loaded: Loaded) -> Iterator[ExportedRun]:
    """Yield every run that can be read."""
    points, runs, records = _PointsOf(loaded), loaded.runs, loaded.records
    specs, directories = loaded.specs, loaded.directories
    for key, row in zip(run_names(runs), runs.to_dict("records"), strict=True):
        record, folder = records[key], directories[key]
        yield ExportedRun(
            experiment=folder.parent.name,
            run_id=folder.name,
            status=str(row["status"]),
            started=_time(record.get("started")) or _begun(folder),
            ended=_time(record.get("ended")),
            swept=_swept(row, record),
            settings=_settings(specs[key]) | {"batch_size": row["batch_size"]},
            points=tuple(points.of(key)),
            results=dict(_results(row)),
            tags=dict(_tags(row, record)),
            spec=dump_yaml(dict(specs[key])),
        )


class _PointsOf:
    """The numbers over the steps of every run."""

    def __init__(self, loaded: Loaded) -> None:
        losses = loaded.step_losses.rename(columns={"loss": "step_loss"})
        measured = {*loaded.history.columns} - {*NO_METRICS, *PLACE, *loaded.swept}
        metrics = [name for name in loaded.history.columns if name in measured]
        self._tables = (
            (_by_run(loaded.history), metrics),
            (_by_run(losses), ["step_loss"]),
            (_by_run(loaded.noise), ["noise_scale"]),
        )

    def of(self, key: str) -> Iterator[Point]:
        """Yield those of one run."""
        for table, names in self._tables:
            if key in table:
                yield from _points(table[key], names)


def _by_run(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): rows for name, rows in table.groupby(run_names(table), sort=False)}


def _begun(folder: Path) -> float:
    """Return when a run that has not ended began: its spec.yaml is written first, and once."""
    return (folder / "spec.yaml").stat().st_mtime


def _time(text: Any) -> float | None:
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None


def _swept(row: Mapping[Any, Any], record: Mapping[str, Any]) -> dict[str, Setting]:
    told = {name: row[name] for name in ("batch_size", "optimizer", "learning_rate", "seed")}
    told = {key: value for key, value in told.items() if value == value}
    others = {
        key: _setting(value)
        for key, value in (record.get("swept") or {}).items()
        if key.rpartition(".")[2] not in told
    }
    return told | others


def _settings(spec: Mapping[str, Any]) -> dict[str, Setting]:
    """Return what a spec says, by dotted keys."""
    told = {key: value for key, value in spec.items() if key not in NO_SETTINGS}
    return {key: _setting(value) for key, value in flatten_spec(told).items()}


def _setting(value: Any) -> Setting:
    return value if isinstance(value, str | int | float) else json.dumps(value)


def _points(table: pd.DataFrame, names: list[str]) -> Iterator[Point]:
    for row in table.to_dict("records"):
        seconds = float(row.get("seconds", 0.0))
        for name in names:
            if _is_number(row[name]):
                yield Point(name, int(row["step"]), seconds, float(row[name]))


def _results(row: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    last = {name for name in row if str(name).startswith(("test_", "best_"))}
    for name in (*RESULTS, *sorted(map(str, last - set(RUN_COLUMNS)))):
        if name in row and _is_number(row[name]):
            yield name, float(row[name])


def _is_number(value: Any) -> bool:
    """Tell whether something was measured; an empty cell is not a number."""
    return isinstance(value, int | float) and not math.isnan(value)


def _tags(row: Mapping[Any, Any], record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("status", "data_used", "engine", "step_check", "target"):
        if isinstance(row.get(name), str):
            yield name, row[name]
    told = {"message": record.get("message"), "git_commit": record.get("git_commit")}
    told |= {"data_fingerprint": record.get("data_fingerprint")}
    told |= record.get("versions") or {}
    yield from ((name, value) for name, value in told.items() if isinstance(value, str) and value)
