"""Summarize runs: one row per batch size, or other key, each at its best learning rate.

The choice follows Shallue et al. 2018 (arXiv 1811.03600): the learning rate is tuned separately
for every row, and the cost of the target is that of the first evaluation that passes.
"""

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.chance import chance_column, has_learned
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
from kerasbatch.spec import keras_registry

_DECIDED = (RunStatus.DONE, RunStatus.DIVERGED, RunStatus.UNFINISHED)
"""Statuses of runs that did not reach a target, or are no part of the answer."""


def judge_runs(loaded: Loaded, question: Question) -> pd.DataFrame:
    """Return all runs, with the cost of the target for each.

    Returns:
        The runs, with more columns: `run` (experiment/run), `asked_seeds` (the number of seeds
        that the spec asks for, if known), `chance` and `learned` (the level of a model that has
        learned nothing, and whether the run ended better), `reached`, `unknown` and those of
        `first_passed`.
    """
    runs = with_settings(loaded, [*question.by, *question.tuned])
    runs["run"] = run_keys(runs)
    runs["asked_seeds"] = runs["run"].map(_asked_seeds(loaded))
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
        unknown=~reached & ~runs["status"].isin(_DECIDED),
    )


def _asked_seeds(loaded: Loaded) -> dict[str, int]:
    return {
        run: seeds for expected in loaded.expected.values() for run, seeds in expected.seeds.items()
    }


def choose_settings(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Choose the learning rate, and other tuned keys, for every row.

    With a target: among the settings with the largest share of seeds that reached it, the smallest
    median of their steps; if no seed reached it, the setting that came nearest. Without a target:
    the best median of the judged metric's last value. Ties go to the smaller rate.

    Returns:
        The runs of the chosen settings.
    """
    keys = [*question.by, *question.tuned]
    settings = runs.groupby(keys, dropna=False, sort=True)
    ended, target = runs[runs["status"].isin(FINISHED)], question.target
    order = pd.DataFrame(index=settings.size().index)
    if target is not None:
        decided = runs[(runs["status"].isin(FINISHED) & ~runs["unknown"]) | runs["reached"]]
        trained = runs[runs["status"].isin(FINISHED) | runs["unknown"]]
        order["first"] = -_seed_shares(runs[runs["reached"]], decided, keys)
        order["second"] = settings[TO_TARGET_COLUMNS[0]].median()
        nearest = _badness(trained, keys, target.metric, lower=target.lower_is_better)
        order["third"] = nearest.reindex(order.index).where(order["second"].isna(), 0.0)
        order["first"] = order["first"].fillna(0)
    else:
        judged = question.judged
        lower = judged is None or keras_registry.lower_is_better(judged.partition("_")[2])
        order["first"] = -_seed_shares(ended, ended, keys)
        order["second"] = _badness(ended, keys, judged, lower=lower)
    merits = [str(name) for name in order]
    order = order.reset_index().sort_values([*merits, *question.tuned], kind="stable")
    best = order.drop_duplicates(list(question.by))[keys]
    return runs.merge(best, on=keys, how="inner")


def _badness(
    ended: pd.DataFrame, keys: list[str], metric: str | None, *, lower: bool
) -> "pd.Series[float]":
    """Return the median of a metric's last value by setting; smaller is better."""
    if metric is None:
        return ended.groupby(keys, dropna=False, sort=True).size() * 0.0
    # A diverged run is worse than any value, and so is one that has learned nothing.
    value = (
        (ended[metric] if lower else -ended[metric]).fillna(np.inf).where(ended["learned"], np.inf)
    )
    return ended.assign(value=value).groupby(keys, dropna=False, sort=True)["value"].median()


def _seed_shares(
    successful: pd.DataFrame, trained: pd.DataFrame, keys: list[str]
) -> "pd.Series[float]":
    """Return the share of the seeds of every setting that are successful.

    A seed without a result is not counted, so that a lost run does not change the choice; but half
    of the seeds that the spec asks for count in any case, so that one lucky seed is no setting.
    """
    groups = trained.groupby(keys, dropna=False, sort=True)
    counts = groups["seed"].nunique()
    asked = groups["asked_seeds"].max().fillna(counts.max())
    seeds = np.maximum(counts, np.ceil(asked / 2))
    shares: pd.Series[float] = (_seed_counts(successful, keys) / seeds).fillna(0)
    return shares


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
