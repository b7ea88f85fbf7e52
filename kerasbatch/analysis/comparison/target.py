"""A target as text, `val_accuracy>=0.97`, and where a run's history first passes it."""

import re
from dataclasses import dataclass

import pandas as pd

from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import show_value

_TEXT = re.compile(r"\s*([^<>=\s]+)\s*(>=|<=)\s*(\S+)\s*")
TAKEN = {"steps": "step", "examples": "examples", "seconds": "seconds"}
"""What it takes to get somewhere, and the columns of a history that say it."""


@dataclass(frozen=True)
class Goal:
    """The value of a metric to reach.

    Args:
        metric: the column of history.csv.
        at_least: whether a value passes from `value` up, or else down.
        value: the value.
    """

    metric: str
    at_least: bool
    value: float

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.at_least else '<='} {self.value:g}"

    def passed_by(self, values: "pd.Series[float]") -> "pd.Series[bool]":
        """Tell of each value whether it passes."""
        return values >= self.value if self.at_least else values <= self.value

    def is_easier(self, other: "Goal") -> bool:
        """Tell whether whatever passes the other one passes this one too, of the same metric."""
        if (self.metric, self.at_least) != (other.metric, other.at_least):
            return False
        return self.value <= other.value if self.at_least else self.value >= other.value


def parse_target(text: str) -> Goal:
    """Read a target.

    Raises:
        SpecError: if it is none.
    """
    found = _TEXT.fullmatch(text)
    try:
        value = float(found[3]) if found else float("nan")
    except ValueError:
        value = float("nan")
    if found is None or value != value:
        message = f"found {show_value(text)}; must be a metric and its value, like"
        raise SpecError([Fault(("--target",), f'{message} "val_accuracy>=0.97"')])
    return Goal(found[1], found[2] == ">=", value)


def first_passed(history: pd.DataFrame, goal: Goal) -> pd.DataFrame:
    """Return what each run took to its first evaluation that passes; the untrained model is none.

    Args:
        history: rows of history.csv of many runs, ascending within each, with a column `run`.
        goal: the target.

    Returns:
        By run and for each of TAKEN: `<name>_to_target`, its value at that evaluation, and
        `<name>_before`, at the evaluation before it. Runs that never pass are not in it.
    """
    before = history.groupby("run")[list(TAKEN.values())].shift()
    named = {f"{name}_to_target": history[column] for name, column in TAKEN.items()}
    named |= {f"{name}_before": before[column] for name, column in TAKEN.items()}
    trained = history.assign(**named)[history["step"] > 0]
    passed = trained[goal.passed_by(trained[goal.metric])]
    return passed.groupby("run", sort=False)[list(named)].first()
