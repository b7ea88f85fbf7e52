"""Verdicts on measured numbers.

A measurement is an interval: the smallest and the largest value over rounds, seeds or settings. An
interval on the right side of a tolerance decides for a statement, one on the wrong side against
it, and one that contains the tolerance decides nothing.
"""

import math
from collections.abc import Iterable
from typing import Literal

Verdict = Literal["holds", "does not hold here", "cannot be told here", "answered", "custom"]
VERDICTS: tuple[Verdict, ...] = (
    "holds",
    "does not hold here",
    "cannot be told here",
    "answered",
    "custom",
)
"""`answered` is for a question of the notes, `custom` for a habit; neither can fail."""


def exactly(right: bool) -> Verdict:
    """Return the verdict on numbers that were counted."""
    return "holds" if right else "does not hold here"


def within(errors: Iterable[float], tolerance: float) -> Verdict:
    """Return the verdict on numbers that should be 0.

    Args:
        errors: the numbers; NaN for one that could not be measured.
        tolerance: the largest absolute value that counts as 0.
    """
    sizes = [abs(error) for error in errors]
    if not sizes or any(map(math.isnan, sizes)):
        return "cannot be told here"
    return exactly(max(sizes) <= tolerance)


def above(values: Iterable[float], least: float) -> Verdict:
    """Return the verdict on measurements that should be large.

    Args:
        values: the measurements of all rounds or seeds; NaN for one that could not be made.
        least: the least value with which the statement holds.
    """
    measured = list(values)
    if not measured or any(map(math.isnan, measured)):
        return "cannot be told here"
    if min(measured) >= least:
        return "holds"
    return "does not hold here" if max(measured) < least else "cannot be told here"


def at_most(values: Iterable[float], most: float) -> Verdict:
    """Return the verdict on measurements that should be small; as `above`, mirrored."""
    return above([-value for value in values], -most)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a statement that says several things at once."""
    together = set(verdicts)
    for decisive in ("does not hold here", "cannot be told here"):
        if decisive in together:
            return decisive
    return "holds"


def ratios(numerators: Iterable[float], denominators: Iterable[float]) -> tuple[float, float]:
    """Return the smallest and the largest ratio of two sets of positive measurements."""
    above_line, below_line = list(numerators), list(denominators)
    if any(map(math.isnan, [*above_line, *below_line])):
        return math.nan, math.nan
    return min(above_line) / max(below_line), max(above_line) / min(below_line)
