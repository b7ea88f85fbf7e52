"""The runs of a comparison that are not finished, apart from its answer."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.records.run_status import SETTLED, RunStatus
from kerasbatch.text import shortened, significant

RUNNING = "it is running, or its process was killed"


def unfinished_runs(
    runs: pd.DataFrame, question: Question, records: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield a description of every run that has not ended, or ended before its final numbers."""
    metric = question.target.metric if question.target else question.judged
    for row in runs[~runs["status"].isin(SETTLED)].to_dict("records"):
        step = row["observed_steps"]
        if row["status"] != RunStatus.UNFINISHED:
            message = shortened(records[row["run"]]["message"], 200)
            yield f"{row['run']} ({row['status']}): {message}"
            continue
        if step != step:
            yield f"{row['run']}: no evaluation so far; {RUNNING}"
            continue
        value = row.get(metric, float("nan"))
        metric_text = "" if pd.isna(value) else f", {metric} {significant(value)}"
        yield f"{row['run']}: step {step:,.0f}{metric_text}; {RUNNING}"
