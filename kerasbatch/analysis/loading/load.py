"""Runs as pandas tables, read from their directories.

runs = kb.load("results/digits_batch_sizes")
runs.runs, runs.history, runs.steps      # DataFrames
"""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis.loading.csv_tables import OWNER, read_all
from kerasbatch.analysis.loading.expected_runs import ExpectedRuns, expected_runs
from kerasbatch.analysis.loading.find import RunFiles, experiments, find_runs
from kerasbatch.columns import HISTORY_COLUMNS, NOISE_COLUMNS, RUN_KEYS, STEP_COLUMNS
from kerasbatch.records.record_schema import TEXTS
from kerasbatch.records.run_row import RUN_COLUMNS
from kerasbatch.spec.schema import BUDGETS

AnyPath = str | PathLike[str]
HIDDEN_KEYS = frozenset(BUDGETS)
"""Swept budgets: their columns hold the length that was trained; `planned_steps` is the budget."""
_SPECIAL = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


def run_keys(table: pd.DataFrame) -> "pd.Series[str]":
    """Return the run of every row as experiment/run."""
    return table[RUN_KEYS[0]] + "/" + table[RUN_KEYS[1]]


def load(paths: AnyPath | Iterable[AnyPath]) -> "Loaded":
    """Read runs into tables, without importing TensorFlow.

    Args:
        paths: results folders, experiments or single runs, or results of this process.

    Raises:
        SpecError: if a path is not a directory.
    """
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    folders = [Path(path) for path in given]
    runs, problems = find_runs(folders)
    return Loaded(runs, problems, experiments(folders, runs))


class Loaded:
    """The tables of some runs.

    Attributes:
        problems: the reason why a run or path could not be read, as a message, by run or path.
    """

    def __init__(
        self, runs: Sequence[RunFiles], problems: Mapping[str, str], folders: Sequence[Path] = ()
    ) -> None:
        self._all, self._folders = list(runs), folders
        self._readable = [run for run in runs if run.record is not None]
        self.problems = dict(problems)
        self.problems |= {run.key: run.problem for run in runs if run.problem}

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run: the columns of runs.csv, and the swept values by their dotted keys."""
        rows = [
            # A directory may have been renamed; its present name leads to its files.
            {"experiment": run.experiment, **_row(run.record or {}), "run_id": run.path.name}
            for run in self._readable
        ]
        columns = dict.fromkeys([*RUN_KEYS, *RUN_COLUMNS, *(key for row in rows for key in row)])
        table = pd.DataFrame(rows, columns=list(columns))
        # A schedule has no single rate; a column without any number would have dtype object.
        return table.assign(learning_rate=pd.to_numeric(table["learning_rate"], errors="coerce"))

    @functools.cached_property
    def history(self) -> pd.DataFrame:
        """All rows of history.csv, after the experiment, the run and its swept values."""
        return self._read_tables("history.csv", HISTORY_COLUMNS)

    @functools.cached_property
    def steps(self) -> pd.DataFrame:
        """All rows of steps.csv, after the experiment, the run and its swept values."""
        return self._read_tables("steps.csv", STEP_COLUMNS)

    @functools.cached_property
    def weights(self) -> pd.DataFrame:
        """All rows of weights.csv, of the runs that recorded weights."""
        return self._read_tables("weights.csv", ("step",))

    @functools.cached_property
    def step_losses(self) -> pd.DataFrame:
        """All rows of steps_loss.csv, of the runs that recorded the loss of every step."""
        return self._read_tables("steps_loss.csv", ("step", "loss"))

    @functools.cached_property
    def noise(self) -> pd.DataFrame:
        """All rows of noise.csv, of the runs that recorded the gradient noise."""
        return self._read_tables("noise.csv", NOISE_COLUMNS)

    @functools.cached_property
    def specs(self) -> dict[str, Mapping[str, Any]]:
        """The resolved spec of every run, by experiment/run."""
        return {run.key: (run.record or {}).get("spec") or {} for run in self._readable}

    @functools.cached_property
    def records(self) -> dict[str, Mapping[str, Any]]:
        """The record of every run, by experiment/run."""
        return {run.key: run.record or {} for run in self._readable}

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """A label of the settings that differ, by experiment/run: batch size 32, seed 1."""
        return self._labels_of(self._differing or ["batch_size"])

    def labels_without(self, *left_out: str) -> dict[str, str]:
        """Return the labels without some keys; empty for runs that differ in nothing else."""
        return self._labels_of([key for key in self._differing if key not in left_out])

    @property
    def _differing(self) -> list[str]:
        return [key for key in self.swept if self.runs[key].map(str).nunique() > 1]

    def _labels_of(self, differing: Sequence[str]) -> dict[str, str]:
        runs, keys = self.runs, list(differing)
        if runs[RUN_KEYS[0]].nunique() > 1:
            keys.insert(0, RUN_KEYS[0])
        names = {key: key.rpartition(".")[2].replace("_", " ") for key in keys}
        return {
            run: ", ".join(
                str(row[key]) if key == RUN_KEYS[0] else f"{names[key]} {row[key]}"
                for key in keys
                if row[key] == row[key]  # NaN: a run that has not ended has fewer values
            )
            for run, row in zip(run_keys(runs), runs.to_dict("records"), strict=True)
        }

    def by_experiment(self) -> dict[Path, "Loaded"]:
        """Return the runs of each experiment separately, by its directory."""
        return {
            folder: Loaded(runs, {}, [folder] if folder in self._folders else [])
            for folder, runs in self._runs_by_folder().items()
        }

    def _runs_by_folder(self) -> dict[Path, list[RunFiles]]:
        """Return the runs of each experiment, also of those without any."""
        runs: dict[Path, list[RunFiles]] = {}
        for run in self._all:
            runs.setdefault(run.path.parent, []).append(run)
        return runs | {folder: [] for folder in self._folders if folder not in runs}

    @functools.cached_property
    def identities(self) -> dict[str, str]:
        """A text by experiment/run that is equal for runs with the same settings."""
        return {run.key: run.identity for run in self._all if run.identity is not None}

    @functools.cached_property
    def expected(self) -> dict[Path, ExpectedRuns]:
        """The runs that each spec asks for, by the directory of its experiment.

        Without the experiments of which the user named single runs only.
        """
        return {
            folder: expected_runs(folder, runs)
            for folder, runs in self._runs_by_folder().items()
            if not any(run.is_named for run in runs)
        }

    @functools.cached_property
    def stale(self) -> tuple[str, ...]:
        """The runs that their experiment's spec no longer asks for, as experiment/run."""
        return tuple(run for expected in self.expected.values() for run in expected.stale)

    def current(self) -> "Loaded":
        """Return the runs that are not stale."""
        if not self.stale:
            return self
        stale = set(self.stale)
        kept = [run for run in self._all if run.key not in stale]
        problems = {run: text for run, text in self.problems.items() if run not in stale}
        return Loaded(kept, problems, self._folders)

    @functools.cached_property
    def directories(self) -> dict[str, Path]:
        """The directory of every run, readable or not, by experiment/run."""
        return {run.key: run.path for run in self._all}

    def _repr_html_(self) -> str:
        """Return the runs as an HTML table for notebooks, with all text escaped."""
        return self.runs.to_html(escape=True)

    def _read_tables(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Return the rows of one CSV file of every run, after the columns that name the run."""
        table, problems = read_all([run.path / name for run in self._readable], columns)
        for number, problem in problems.items():
            self.problems.setdefault(self._readable[number].key, problem)
        owner = table.pop(OWNER)
        settings = self.runs[[*RUN_KEYS, *self.swept]].iloc[owner].reset_index(drop=True)
        return pd.concat([settings.drop(columns=table.columns, errors="ignore"), table], axis=1)

    @functools.cached_property
    def swept(self) -> list[str]:
        """The swept keys, by the names of their columns in the tables."""
        keys = (key for run in self._readable for key in _swept_values(run.record or {}))
        return list(dict.fromkeys(keys))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a run, with inf and nan as numbers, and its swept values."""
    row = {
        key: _SPECIAL.get(value, value) if key not in TEXTS and isinstance(value, str) else value
        for key, value in record["row"].items()
    }
    return row | {key: value for key, value in _swept_values(record).items() if key not in row}


def _swept_values(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the swept values of a run, by the names of their columns.

    A key that is also a column of the results (`loss`, the last value of the loss) becomes
    `spec.loss`, with its value as text.
    """
    row, columns = record["row"], {}
    for key, value in (record.get("swept") or {}).items():
        plain = not isinstance(value, list | dict)
        same = key not in row or (plain and value == row[key]) or key in ("batch_size", "seed")
        if key not in HIDDEN_KEYS:
            content = value if plain else json.dumps(value, sort_keys=True)
            columns[key if same else f"spec.{key}"] = content if same else str(content)
    return columns
