"""The runs of settings that a search gave up, where a comparison asks the search's own question.

Under another target, or a comparison by a searched key, such a run is one that was cut off: what it
would have reached is unknown.
"""

import pandas as pd

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.records.run_status import RunStatus

RATES = {"learning_rate", "optimizer.learning_rate", "learning_rate_rule.times"}
"""The names of the learning rate among the keys of a comparison."""


def lost_runs(loaded: Loaded, runs: pd.DataFrame, question: Question) -> "pd.Series[bool]":
    """Return for every run whether a search gave up its setting.

    Args:
        loaded: the runs, as they were read.
        runs: their table, with the column `run`.
        question: the question of the comparison.
    """
    searches = [expected for expected in loaded.expected.values() if expected.given_up]
    searched = {key for expected in searches for key in expected.searched} | {"seed"}
    if searched & RATES:
        searched |= RATES
    given_up = {run for expected in searches for run in expected.given_up}
    if not given_up or searched & set(question.by):
        return pd.Series(False, index=runs.index)
    return runs["run"].isin(given_up) & _has_own_target(runs, question)


def limited_runs(loaded: Loaded, runs: pd.DataFrame, question: Question) -> "pd.Series[bool]":
    """Return for every run whether an automatic budget ended it without the target in question.

    Whether it would have reached the target is unknown; but for a choice it counts as a run that
    did not, as it does for the search.
    """
    limited = {
        run
        for run, record in loaded.records.items()
        if (record.get("cap") or {}).get("is_limit") and record["status"] == RunStatus.CAPPED
    }
    return runs["run"].isin(limited) & _has_own_target(runs, question)


def _has_own_target(runs: pd.DataFrame, question: Question) -> "pd.Series[bool]":
    target = None if question.target is None else str(question.target)
    recorded = runs["target"] if "target" in runs else pd.Series(None, index=runs.index)
    return recorded.isna() if target is None else recorded == target
