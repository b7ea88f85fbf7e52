"""Summarize runs: one row per batch size, or other key, each at its best learning rate.

The choice follows Shallue et al. 2018 (arXiv 1811.03600): the learning rate is tuned separately
for every row, and the cost of the target is that of the first evaluation that passes.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.chance import chance_column, has_learned, judged_metric
from kerasbatch.analysis.comparison.given_up import limited_runs, lost_runs
from kerasbatch.analysis.comparison.question import (
    SPEEDS,
    Question,
    metric_columns,
    with_settings,
)
from kerasbatch.analysis.comparison.target import first_passed
from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.records.run_status import FINISHED, RunStatus
from kerasbatch.search.choice import counted_seeds, merit
from kerasbatch.search.judged_metric import lower_is_better

_DECIDED = (RunStatus.DONE, RunStatus.DIVERGED, RunStatus.UNFINISHED)
"""Statuses of runs that did not reach a target, or are no part of the answer."""


def judge_runs(loaded: Loaded, question: Question) -> pd.DataFrame:
    """Return all runs, with the cost of the target for each.

    Returns:
        The runs, with more columns: `run` (experiment/run), `asked_seeds` (the number of seeds
        that the spec asks for, if known), `chance` and `learned` (the level of a model that has
        learned nothing, and whether the run ended better), `lost` (whether a search gave up its
        setting), `limited` (whether an automatic budget ended it), `reached`, `unknown` and those
        of `first_passed`.
    """
    runs = with_settings(loaded, [*question.by, *question.tuned])
    runs["run"] = run_keys(runs)
    runs["asked_seeds"] = runs["run"].map(_asked_seeds(loaded)).astype(float)
    runs["lost"] = lost_runs(loaded, runs, question)
    runs["limited"] = limited_runs(loaded, runs, question)
    runs = runs.drop(columns=[name for name in TO_TARGET_COLUMNS if name in runs])
    runs["chance"] = chance_column(loaded, runs, question)
    runs["learned"] = has_learned(runs, question)
    if question.target is None:
        return runs.assign(reached=False, unknown=False)
    history = loaded.history
    history = history.assign(run=run_keys(history))
    runs = runs.merge(
        first_passed(history, question.target), how="left", left_on="run", right_index=True
    )
    # A run that goes on counts when it has ended.
    runs.loc[runs["status"] == RunStatus.UNFINISHED, list(TO_TARGET_COLUMNS)] = np.nan
    # Nor does a run that was at the target before it learned anything.
    runs.loc[~runs["learned"], list(TO_TARGET_COLUMNS)] = np.nan
    reached = runs[TO_TARGET_COLUMNS[0]].notna()
    # A run that was cut off, or stopped at an easier target, might have reached it.
    return runs.assign(
        reached=reached,
        unknown=~reached & ~runs["status"].isin(_DECIDED) & ~runs["lost"],
    )


def _asked_seeds(loaded: Loaded) -> dict[str, int]:
    return {
        run: seeds for expected in loaded.expected.values() for run, seeds in expected.seeds.items()
    }


def choose_settings(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Choose the learning rate, and other tuned keys, for every row, by the rule of `merit`.

    Settings that a search gave up come last. Ties go to the smaller rate.

    Returns:
        The runs of the chosen settings.
    """
    keys = [*question.by, *question.tuned]
    settings = runs.groupby(keys, dropna=False, sort=True)
    merits = pd.DataFrame(_merits(runs, settings.ngroup(), question), settings.size().index)
    names = [f"merit {name}" for name in merits]
    order = merits.set_axis(names, axis=1).reset_index()
    order = order.sort_values([*names, *question.tuned], kind="stable")
    best = order.drop_duplicates(list(question.by))[keys]
    return runs.merge(best, on=keys, how="inner")


def _merits(
    runs: pd.DataFrame, numbers: "pd.Series[int]", question: Question
) -> list[tuple[float, ...]]:
    """Return the merit of every setting, by its number; first whether it was given up."""
    has_target = question.target is not None
    finished = runs["status"].isin(FINISHED)
    decided = (finished & ~runs["unknown"]) | runs["reached"] if has_target else finished
    columns = {
        "setting": numbers,
        "seed": runs["seed"],
        "reached": runs["reached"] if has_target else finished,
        "decided": decided | runs["lost"] | runs["limited"],
        "trained": (finished | runs["unknown"] | runs["lost"]) if has_target else finished,
        "steps": runs[TO_TARGET_COLUMNS[0]] if has_target else np.nan,
        "badness": _badness(runs, question),
        "asked": runs["asked_seeds"],
        "lost": runs["lost"],
    }
    settings = [_SettingRuns() for _ in range(int(numbers.max()) + 1)]
    rows: Any = pd.DataFrame(columns).itertuples(index=False)
    for row in rows:
        settings[row.setting].add(row)
    most = max(len(setting.decided) for setting in settings)
    return [setting.merit(most, has_target=has_target) for setting in settings]


class _SettingRuns:
    """The runs of one setting."""

    def __init__(self) -> None:
        self.reached: set[int] = set()
        self.decided: set[int] = set()
        self._steps: list[float] = []
        self._badness: list[float] = []
        self._asked = math.nan
        self._is_lost = False

    def add(self, row: Any) -> None:
        if row.reached:
            self.reached.add(row.seed)
        if row.decided:
            self.decided.add(row.seed)
        if not math.isnan(row.steps):
            self._steps.append(row.steps)
        if row.trained:
            self._badness.append(row.badness)
        self._asked = row.asked if math.isnan(self._asked) else max(self._asked, row.asked)
        self._is_lost = self._is_lost or row.lost

    def merit(self, most: int, *, has_target: bool) -> tuple[float, ...]:
        """Return whether the setting was given up, and its merit.

        Args:
            most: the largest number of seeds of a setting, where the spec's is unknown.
            has_target: whether there is a target.
        """
        asked = most if math.isnan(self._asked) else int(self._asked)
        seeds = counted_seeds(len(self.decided), asked)
        reached = len(self.reached)
        rest = merit(reached, seeds, self._steps, self._badness, has_target=has_target)
        return float(self._is_lost), *rest


def _badness(runs: pd.DataFrame, question: Question) -> "pd.Series[float]":
    """Return the last value of the judged metric, so that smaller is better."""
    metric = judged_metric(question)
    if metric is None:
        return pd.Series(0.0, index=runs.index)
    values = runs[metric].astype(float)
    signed = values if lower_is_better(question.target, metric) else -values
    # A diverged run is worse than any value, and so is one that has learned nothing.
    return signed.fillna(np.inf).where(runs["learned"], np.inf)


def _seed_counts(runs: pd.DataFrame, keys: list[str]) -> "pd.Series[int]":
    """Return the number of different seeds of every setting."""
    return runs.groupby(keys, dropna=False, sort=True)["seed"].nunique()


def summarize_rows(runs: pd.DataFrame, chosen: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return one row for every value of the compared keys, in ascending order."""
    by = list(question.by)
    groups = chosen.groupby(by, dropna=False, sort=True)
    table = pd.DataFrame({"runs": runs.groupby(by, dropna=False, sort=True).size()})
    trained = chosen[chosen["status"].isin(FINISHED) | chosen["unknown"] | chosen["reached"]]
    table["seeds"] = _seed_counts(trained, by)
    table["seeds"] = table["seeds"].fillna(0).astype(int)
    for name in question.tuned:
        table[name] = groups[name].first()
    table["reached"] = _seed_counts(chosen[chosen["reached"]], by)
    table["unknown"] = _seed_counts(chosen[chosen["unknown"]], by)
    table[["reached", "unknown"]] = table[["reached", "unknown"]].fillna(0).astype(int)
    for name in TO_TARGET_COLUMNS:
        table[name] = groups[name].median() if name in chosen else float("nan")
    ended = chosen[chosen["status"].isin(FINISHED)].groupby(by, dropna=False, sort=True)
    for name in metric_columns(runs):
        table[name] = ended[name].median()
        if not name.startswith("test_"):
            table[f"{name}_low"], table[f"{name}_high"] = ended[name].min(), ended[name].max()
    for name in SPEEDS:
        table[name] = ended[name].median()
    return table.reset_index()
