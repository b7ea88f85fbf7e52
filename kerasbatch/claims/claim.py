"""A statement of the notes, its measurement, and the verdict."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "holds roughly", "does not hold here"]
COLUMNS = ("statement", "korean", "measured", "verdict", "why")


@dataclass(frozen=True)
class Claim:
    """One row of the table of claims.

    Args:
        statement: the number in the restated notes, and the statement.
        korean: the original wording of the notes.
        measured: the experiment and its numbers.
        verdict: the verdict by these numbers.
        why: the tolerance of the verdict, and further explanation.
    """

    statement: str
    korean: str
    measured: str
    verdict: Verdict
    why: str


def by_error(error: float, exact: float, rough: float) -> Verdict:
    """Return the verdict on a number that should be 0.

    Args:
        error: the number.
        exact: the largest absolute error at which the statement holds.
        rough: the largest absolute error at which it holds roughly.
    """
    return _grade(abs(error), exact, rough)


def by_ratio(ratio: float, clear: float, rough: float = 1.0) -> Verdict:
    """Return the verdict on a ratio that should be large.

    Args:
        ratio: the ratio.
        clear: the least ratio at which the statement holds.
        rough: the least ratio at which it holds roughly.
    """
    return _grade(-ratio, -clear, -rough)


def _grade(value: float, exact: float, rough: float) -> Verdict:
    if value <= exact:
        return "holds"
    return "holds roughly" if value <= rough else "does not hold here"
