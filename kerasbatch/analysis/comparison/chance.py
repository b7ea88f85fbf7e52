"""Runs that have learned nothing: their metric is that of a constant prediction, or untrained.

The skill of a run is its part of the way from chance to perfection; an R2 is the skill of a
squared error. Chance is the level in the record (largest class, mean of the target) or the value of
the untrained model, whichever is better.
"""

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.records.run_status import FINISHED
from kerasbatch.search.judged_metric import lower_is_better
from kerasbatch.search.skill import has_no_skill


def chance_column(loaded: Loaded, runs: pd.DataFrame, question: Question) -> "pd.Series[float]":
    """Return the chance level of the judged metric for every run; NaN where it is unknown.

    Args:
        loaded: the runs, as they were read.
        runs: their table, with the column `run`.
        question: the question of the comparison.
    """
    metric = judged_metric(question)
    if metric is None:
        return pd.Series(np.nan, index=runs.index)
    levels = {
        run: (record.get("chance_level") or {}).get(metric, np.nan)
        for run, record in loaded.records.items()
    }
    level = runs["run"].map(levels).astype(float)
    first = runs["run"].map(_untrained(loaded, metric))
    lower = lower_is_better(question.target, metric)
    best = pd.concat([level, first], axis=1)
    return best.min(axis=1) if lower else best.max(axis=1)


def judged_metric(question: Question) -> str | None:
    """Return the metric of the target, or else the judged metric."""
    return question.judged if question.target is None else question.target.metric


def _untrained(loaded: Loaded, metric: str) -> "pd.Series[float]":
    """Return the untrained model's value of a metric, by experiment/run."""
    history = loaded.history
    first = history[history["step"] == 0]
    values: pd.Series[float] = first[metric] if metric in first else pd.Series(dtype=float)
    return values.groupby(run_keys(first)).first() if len(values) else values


def has_learned(runs: pd.DataFrame, question: Question) -> "pd.Series[bool]":
    """Return whether each run ended better than chance; True where that is unknown.

    Args:
        runs: the table of runs, with the column `chance`.
        question: the question of the comparison.
    """
    metric = judged_metric(question)
    if metric is None or metric not in runs:
        return pd.Series(True, index=runs.index)
    value, chance = runs[metric].astype(float), runs["chance"]
    lower = lower_is_better(question.target, metric)
    nothing: pd.Series[bool] = has_no_skill(value, chance, lower=lower)
    learned: pd.Series[bool] = ~(nothing & value.notna() & runs["status"].isin(FINISHED))
    return learned
