"""A target as text, `val_accuracy>=0.97`, and where a run's history first passes it."""

import math
import re

import pandas as pd

from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.section_schema import Target
from kerasbatch.text import show_value

_TEXT = re.compile(r"\s*([^<>=\s]+)\s*(>=|<=)\s*(\S+)\s*")


def parse_target(text: str) -> Target:
    """Read a target.

    Raises:
        SpecError: if it is none.
    """
    found = _TEXT.fullmatch(text)
    try:
        value = float(found[3]) if found else float("nan")
    except ValueError:
        value = float("nan")
    if found is None or not math.isfinite(value):
        message = f"found {show_value(text)}; must be a metric and its value, like"
        raise SpecError([Fault(("--target",), f'{message} "val_accuracy>=0.97"')])
    bound = "at_least" if found[2] == ">=" else "at_most"
    return Target.model_validate({"metric": found[1], bound: value})


def first_passed(history: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Return what each run took to its first evaluation that passes; the untrained model is none.

    Args:
        history: rows of history.csv of many runs, ascending within each, with a column `run`.
        target: the target.

    Returns:
        By run and for each of COST_COLUMNS: `<name>_to_target`, its value at that evaluation, and
        `<name>_before`, at the evaluation before it. Runs that never pass are not in it.
    """
    before = history.groupby("run")[list(COST_COLUMNS.values())].shift()
    named = {f"{name}_to_target": history[column] for name, column in COST_COLUMNS.items()}
    named |= {f"{name}_before": before[column] for name, column in COST_COLUMNS.items()}
    trained = history.assign(**named)[history["step"] > 0]
    reached: pd.DataFrame = trained[target.is_reached_by(trained[target.metric])]
    return reached.groupby("run", sort=False)[list(named)].first()
