"""Parse a target, `val_accuracy>=0.97`; find the first evaluation of a run that passes it."""

import math
import re

import pandas as pd

from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.section_schema import Target
from kerasbatch.text import show_value

_TEXT = re.compile(r"\s*([^<>=\s]+)\s*(>=|<=)\s*(\S+)\s*")


def parse_target(text: str) -> Target:
    """Read a target from text.

    Raises:
        SpecError: if the text is not a target, or a worse value of its metric reaches it.
    """
    match = _TEXT.fullmatch(text)
    try:
        value = float(match[3]) if match else float("nan")
    except ValueError:
        value = float("nan")
    if match is None or not math.isfinite(value):
        message = f"found {show_value(text)}; must be a metric and its value, like"
        raise SpecError([Fault(("--target",), f'{message} "val_accuracy>=0.97"')])
    bound = "at_least" if match[2] == ">=" else "at_most"
    target = Target.model_validate({"metric": match[1], bound: value})
    if problem := target.direction_problem():
        raise SpecError([Fault(("--target",), problem)])
    return target


def first_passed(history: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Return the cost of each run up to its first evaluation that passes, except at step 0.

    Args:
        history: the rows of history.csv of many runs, in ascending order for each run, with a
            column `run`.
        target: the target.

    Returns:
        By run and for each of COST_COLUMNS: `<name>_to_target`, the value at that evaluation, and
        `<name>_before`, the value at the evaluation before it. Runs that never pass are left out.
    """
    before = history.groupby("run")[list(COST_COLUMNS.values())].shift()
    costs = {f"{name}_to_target": history[column] for name, column in COST_COLUMNS.items()}
    costs |= {f"{name}_before": before[column] for name, column in COST_COLUMNS.items()}
    trained = history.assign(**costs)[history["step"] > 0]
    reached: pd.DataFrame = trained[target.is_reached_by(trained[target.metric])]
    return reached.groupby("run", sort=False)[list(costs)].first()
