"""A statement of the notes, what was measured of it, and the verdict that follows."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "holds roughly", "does not hold here"]
COLUMNS = ("statement", "korean", "measured", "verdict", "why")


@dataclass(frozen=True)
class Claim:
    """One row of the table of claims.

    Args:
        statement: the statement, after the number that it has in the notes as restated.
        korean: the notes' own terms for it.
        measured: what was run, and the numbers.
        verdict: what follows from them.
        why: the tolerance that decided, and what explains the rest.
    """

    statement: str
    korean: str
    measured: str
    verdict: Verdict
    why: str


def by_error(error: float, exact: float, rough: float) -> Verdict:
    """Return the verdict on a number that should be 0.

    Args:
        error: how far it is from 0.
        exact: up to here the statement holds.
        rough: up to here it holds roughly.
    """
    return _graded(abs(error), exact, rough)


def by_ratio(ratio: float, clear: float, rough: float = 1.0) -> Verdict:
    """Return the verdict on a ratio that should be large.

    Args:
        ratio: the ratio.
        clear: from here on the statement holds.
        rough: from here on it holds roughly.
    """
    return _graded(-ratio, -clear, -rough)


def _graded(value: float, exact: float, rough: float) -> Verdict:
    if value <= exact:
        return "holds"
    return "holds roughly" if value <= rough else "does not hold here"
