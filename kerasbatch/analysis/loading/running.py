"""Experiments that another process trains now, as their files show them; nothing is written."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.analysis.loading.load import AnyPath, Loaded, load, run_keys
from kerasbatch.atomic_files import TEMPORARY
from kerasbatch.columns import NOT_MEASURED, RUN_KEYS
from kerasbatch.records.owner import read_owner
from kerasbatch.records.run_status import RunStatus
from kerasbatch.spec.schema import BUDGETS

OLD = 60.0
"""The seconds without a change from which on a run may be dead."""
_COSTS = {"epochs": "epoch", "steps": "step", "examples": "examples"}
"""The budgets of a spec, and the columns of history.csv in which they are counted."""


@dataclass(frozen=True)
class RunningRun:
    """A run that has not ended.

    Args:
        run_id: the name of its directory.
        step: the steps until its last evaluation.
        done: the part of its budget that is used, 0 to 1; None if unknown.
        metrics: the measured values of its last evaluation.
        steps_per_second: its speed so far, or None before the first evaluation.
        seconds_left: the estimated seconds of training to the end of its budget, or None.
        age: the seconds since its files changed.
    """

    run_id: str
    step: int
    done: float | None
    metrics: Mapping[str, float]
    steps_per_second: float | None
    seconds_left: float | None
    age: float

    @property
    def is_old(self) -> bool:
        """True if its files changed long ago, so that it may be dead."""
        return self.age > OLD


@dataclass(frozen=True)
class RunningExperiment:
    """An experiment, and its runs that have not ended.

    Args:
        path: its directory.
        is_trained: whether a process trains it, as far as its files tell.
        ended: the number of ended runs by status.
        total: the number of runs that its spec describes, or None if it is unknown.
        runs: the runs that have not ended.
    """

    path: Path
    is_trained: bool
    ended: Mapping[str, int]
    total: int | None
    runs: tuple[RunningRun, ...]


def running_experiments(path: AnyPath) -> list[RunningExperiment]:
    """Return the experiments in a folder that a process trains; without any, the newest one.

    Args:
        path: a results folder, or the directory of an experiment.

    Raises:
        SpecError: if the path is not a directory.
    """
    loaded = load(path)
    experiments = loaded.by_experiment()
    newest = sorted(experiments, key=_changed)[-1:]
    states = [_experiment(folder, runs.current()) for folder, runs in experiments.items()]
    trained = [state for state in states if state.is_trained]
    return trained or [state for state in states if state.path in newest]


def _experiment(folder: Path, loaded: Loaded) -> RunningExperiment:
    statuses = Counter(map(str, loaded.runs["status"]))
    statuses.pop(RunStatus.UNFINISHED, None)
    expected = loaded.expected.get(folder)
    total = expected.total if expected else None
    runs = tuple(_running_runs(loaded))
    return RunningExperiment(folder, _is_trained(folder, runs), statuses, total, runs)


def _is_trained(folder: Path, runs: Sequence[RunningRun]) -> bool:
    """Return whether a process trains an experiment; one that was killed leaves its number behind.

    A process of another machine cannot be looked up; the experiment is taken for trained until it
    ends. Nobody owns a `fit` that is recorded; its files change.
    """
    owner = read_owner(folder)
    if owner is None:
        return any(not run.is_old for run in runs)
    return owner.is_elsewhere or owner.is_alive


def _running_runs(loaded: Loaded) -> Iterator[RunningRun]:
    """Yield the runs that have not ended, those of the last change first."""
    history = dict(iter(loaded.history.groupby(run_keys(loaded.history))))
    unfinished = loaded.runs[loaded.runs["status"] == RunStatus.UNFINISHED]
    runs = []
    for key in run_keys(unfinished):
        rows = history[key].to_dict("records") if key in history else []
        folder = loaded.directories[key]
        runs.append(_run(folder, rows[-1] if rows else {}, loaded.specs[key]))
    yield from sorted(runs, key=lambda run: run.age)


def _run(folder: Path, row: Mapping[Any, Any], spec: Mapping[str, Any]) -> RunningRun:
    kind = next((name for name in BUDGETS if spec.get(name)), None)
    amount = float(spec[kind]) if kind else math.nan
    cells = (row.get(_COSTS[kind]) if kind else None, row.get("step"), row.get("seconds"))
    used, step, seconds = map(_number, cells)
    done = min(used / amount, 1.0) if amount > 0 else None
    left = seconds / done * (1 - done) if done else None
    speed = step / seconds if step and seconds else None
    return RunningRun(folder.name, int(step), done, dict(_metrics(row)), speed, left, _age(folder))


def _number(cell: Any) -> float:
    """Return a cell of a count or of a time; 0 for an odd one."""
    return float(cell) if isinstance(cell, int | float) and 0 <= cell < math.inf else 0.0


def _metrics(row: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        is_measured = name not in NOT_MEASURED and name not in RUN_KEYS
        if is_measured and isinstance(value, float) and not math.isnan(value):
            yield str(name), value


def _age(folder: Path) -> float:
    return max(0.0, time.time() - _changed(folder))


def _changed(folder: Path) -> float:
    """Return the time of the last change of a folder and the files in it."""
    changes = [0.0]
    with contextlib.suppress(FileNotFoundError):  # its process has renamed or deleted it
        for path in (folder, *folder.iterdir()):
            if not path.name.endswith(TEMPORARY):
                changes.append(path.lstat().st_mtime)
    return max(changes)
