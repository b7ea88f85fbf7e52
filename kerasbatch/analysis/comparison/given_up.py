"""The runs of settings that a search gave up, where a comparison asks the search's own question.

Under another target, or a comparison by a searched key, such a run is one that was cut off: what it
would have reached is unknown.
"""

import pandas as pd

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.records.run_row import RENAMED_KEYS


def lost_runs(loaded: Loaded, runs: pd.DataFrame, question: Question) -> "pd.Series[bool]":
    """Return for every run whether a search gave up its setting.

    Args:
        loaded: the runs, as they were read.
        runs: their table, with the column `run`.
        question: the question of the comparison.
    """
    searches = [expected for expected in loaded.expected.values() if expected.given_up]
    searched = {key for expected in searches for key in expected.searched}
    columns = {RENAMED_KEYS.get(key, key) for key in searched} | searched
    given_up = {run for expected in searches for run in expected.given_up}
    if not given_up or columns & set(question.by):
        return pd.Series(False, index=runs.index)
    target = None if question.target is None else str(question.target)
    recorded = runs["target"] if "target" in runs else pd.Series(None, index=runs.index)
    is_own = recorded.isna() if target is None else recorded == target
    return runs["run"].isin(given_up) & is_own
