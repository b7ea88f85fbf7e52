"""Runs as pandas tables, read from their directories.

runs = kb.load("results/digits_batch_sizes")
runs.runs, runs.history, runs.steps      # DataFrames
"""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis.loading.csv_tables import OWNER, read_all
from kerasbatch.analysis.loading.find import RunFiles, find_runs
from kerasbatch.columns import HISTORY_COLUMNS, NOISE_COLUMNS, STEP_COLUMNS
from kerasbatch.records.record_schema import TEXTS
from kerasbatch.records.run_row import RUN_COLUMNS
from kerasbatch.spec.schema import BUDGETS

PLACE = ("experiment", "run_id")
"""The columns that name a run."""
NOT_SHOWN = frozenset(BUDGETS)
"""Swept budgets: in the tables these words mean what was done; `planned_steps` tells the budget."""
_SPECIAL = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


def run_names(table: pd.DataFrame) -> "pd.Series[str]":
    """Return what names the run of every row among those of several experiments."""
    return table[PLACE[0]] + "/" + table[PLACE[1]]


def load(paths: str | Path | Iterable[str | Path]) -> "Loaded":
    """Read runs into tables; nothing of TensorFlow is needed for it.

    Args:
        paths: results folders, experiments or single runs.

    Raises:
        SpecError: if a path is not there.
    """
    return Loaded(*find_runs([paths] if isinstance(paths, str | Path) else paths))


class Loaded:
    """Runs, as tables.

    Attributes:
        problems: what could not be read, by run or path, in words.
    """

    def __init__(self, found: Sequence[RunFiles], problems: Mapping[str, str]) -> None:
        self._every = list(found)
        self._found = [each for each in found if each.record is not None]
        self.problems = dict(problems)
        self.problems |= {each.key: each.problem for each in found if each.problem}

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run: the columns of runs.csv, and the swept values by their dotted keys."""
        rows = [
            # A directory may have been renamed; its name is what finds its files.
            {"experiment": each.experiment, **_row(each.record or {}), "run_id": each.path.name}
            for each in self._found
        ]
        columns = dict.fromkeys([*PLACE, *RUN_COLUMNS, *(key for row in rows for key in row)])
        table = pd.DataFrame(rows, columns=list(columns))
        # A schedule has no single rate, and a column without any number would be one of objects.
        return table.assign(learning_rate=pd.to_numeric(table["learning_rate"], errors="coerce"))

    @functools.cached_property
    def history(self) -> pd.DataFrame:
        """All rows of history.csv, behind the experiment, the run and its swept values."""
        return self._long("history.csv", HISTORY_COLUMNS)

    @functools.cached_property
    def steps(self) -> pd.DataFrame:
        """All rows of steps.csv, behind the experiment, the run and its swept values."""
        return self._long("steps.csv", STEP_COLUMNS)

    @functools.cached_property
    def weights(self) -> pd.DataFrame:
        """All rows of weights.csv, where weights were recorded."""
        return self._long("weights.csv", ("step",))

    @functools.cached_property
    def step_losses(self) -> pd.DataFrame:
        """All rows of steps_loss.csv, where the loss of every step was recorded."""
        return self._long("steps_loss.csv", ("step", "loss"))

    @functools.cached_property
    def noise(self) -> pd.DataFrame:
        """All rows of noise.csv, where the noise of the gradient was recorded."""
        return self._long("noise.csv", NOISE_COLUMNS)

    @property
    def specs(self) -> dict[str, Mapping[str, Any]]:
        """The resolved spec of every run, by experiment/run."""
        return {each.key: (each.record or {}).get("spec") or {} for each in self._found}

    @property
    def records(self) -> dict[str, Mapping[str, Any]]:
        """The record of every run, by experiment/run."""
        return {each.key: each.record or {} for each in self._found}

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """What tells each run from the others, by experiment/run: batch size 32, seed 1."""
        runs = self.runs
        keys = [key for key in self.swept if runs[key].map(str).nunique() > 1] or ["batch_size"]
        if runs[PLACE[0]].nunique() > 1:
            keys.insert(0, PLACE[0])
        names = {key: key.rpartition(".")[2].replace("_", " ") for key in keys}
        return {
            run: ", ".join(
                str(row[key]) if key == PLACE[0] else f"{names[key]} {row[key]}"
                for key in keys
                if row[key] == row[key]  # of a run that has not ended, less is known
            )
            for run, row in zip(run_names(runs), runs.to_dict("records"), strict=True)
        }

    def by_experiment(self) -> dict[Path, "Loaded"]:
        """Return the runs of every experiment for themselves, by its directory."""
        folders = dict.fromkeys(each.path.parent for each in self._every)
        return {
            folder: Loaded([each for each in self._every if each.path.parent == folder], {})
            for folder in folders
        }

    @property
    def directories(self) -> dict[str, Path]:
        """The directory of every run, read or not, by experiment/run."""
        return {each.key: each.path for each in self._every}

    def _repr_html_(self) -> str:
        """Show the runs in a notebook, as text that can do nothing."""
        return self.runs.to_html(escape=True)

    def _long(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        table, problems = read_all([each.path / name for each in self._found], columns)
        for number, problem in problems.items():
            self.problems.setdefault(self._found[number].key, problem)
        owner = table.pop(OWNER)
        place = self.runs[[*PLACE, *self.swept]].iloc[owner].reset_index(drop=True)
        return pd.concat([place.drop(columns=table.columns, errors="ignore"), table], axis=1)

    @functools.cached_property
    def swept(self) -> list[str]:
        """The keys that were swept, as columns of the tables are named."""
        keys = (key for each in self._found for key in _shown(each.record or {}))
        return list(dict.fromkeys(keys))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's row, its special numbers as numbers again, and what was swept."""
    row = {
        key: _SPECIAL.get(value, value) if key not in TEXTS and isinstance(value, str) else value
        for key, value in record["row"].items()
    }
    return row | {key: value for key, value in _shown(record).items() if key not in row}


def _shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was swept, by the names of its columns.

    A key whose name is a column of something else (`loss`, the last value of the loss) is told as
    `spec.loss`, with all that was swept of it.
    """
    row, found = record["row"], {}
    for key, value in (record.get("swept") or {}).items():
        plain = not isinstance(value, list | dict)
        own = key not in row or (plain and value == row[key]) or key in ("batch_size", "seed")
        if key not in NOT_SHOWN:
            told = value if plain else json.dumps(value, sort_keys=True)
            found[key if own else f"spec.{key}"] = told if own else str(told)
    return found
