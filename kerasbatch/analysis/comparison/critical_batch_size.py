"""The critical batch size: S = S_min (1 + B_crit / b) through the steps to a target.

McCandlish et al. 2018 (arXiv 1812.06162): below B_crit twice the batch takes about half the steps;
above it, hardly fewer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.text import counted

CONFIDENCE = 0.95
MIN_SIZES = 5
"""Two numbers are fitted; with fewer sizes, too few are left to estimate the errors by."""
MAX_RESIDUAL = 0.5
"""The largest mean distance of the points from the curve, in octaves."""
WITHIN = 4.0
"""Scaling is perfect up to a quarter of B_crit, and maximal from four times B_crit."""
_SPAN = 60.0
"""The width of the search for B_crit around the sizes, in octaves."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """The curve through the steps to a target.

    Args:
        s_min: the lower limit of the steps, at any batch size.
        b_crit: the batch size that takes twice s_min steps.
        low: the lower end of the 95 % interval of b_crit; 0 if it has none.
        high: its upper end; inf if it has none.
        residual: the mean distance of the points from the curve, in octaves.
        regimes: by batch size: perfect scaling, diminishing returns or maximal.
        doubt: a reason to doubt the points, or empty.
    """

    s_min: float
    b_crit: float
    low: float
    high: float
    residual: float
    regimes: dict[int, str] = field(default_factory=dict)
    doubt: str = ""


@dataclass(frozen=True)
class NoFit:
    """The reason why the points do not support a curve.

    Args:
        reason: its text for the user.
    """

    reason: str


def fit_steps(
    chosen: pd.DataFrame, question: Question, edge_sizes: Collection[int] = ()
) -> Fit | NoFit:
    """Fit the runs of a comparison that reached its target.

    Args:
        chosen: the runs of the chosen settings.
        question: the question that the comparison answers.
        edge_sizes: the batch sizes whose best learning rate may lie beyond those that were tried.
    """
    if question.target is None:
        return NoFit("there is no target; say --target")
    if "batch_size" not in question.by:
        return NoFit("rows are no batch sizes; compare by batch_size")
    reached = chosen[chosen["reached"]]
    curve = fit(reached["batch_size"].to_numpy(), reached[TO_TARGET_COLUMNS[0]].to_numpy())
    if isinstance(curve, NoFit) or not (at_edge := set(curve.regimes) & set(edge_sizes)):
        return curve
    number = f"{len(at_edge)} of {counted(len(curve.regimes), 'size')}"
    return replace(curve, doubt=f"{number} may be faster with a learning rate that was not tried")


def fit(sizes: Sequence[float] | Floats, steps: Sequence[float] | Floats) -> Fit | NoFit:
    """Fit S = S_min (1 + B_crit / b) in logarithms, through one point for each size.

    Seeds of one size share an error, which their number does not reduce: the distance of the best
    learning rate from the nearest one that was tried. So each size is one observation, the median
    of its seeds. The interval comes from the profile of the squares.

    Args:
        sizes: the batch size of every point.
        steps: the steps of every point to the target.

    Returns:
        The curve, or the reason why there is none.
    """
    logs = pd.Series(np.log2(np.asarray(steps, float))).groupby(np.asarray(sizes, float)).median()
    b, s = logs.index.to_numpy(float), logs.to_numpy(float)
    if len(b) < MIN_SIZES:
        return NoFit(
            f"{counted(len(b), 'batch size')} reached the target; a curve needs {MIN_SIZES}"
        )
    log_crit = _best_log_crit(b, s)
    residual = float(np.mean(np.abs(s - _curve(b, s, log_crit))))
    if residual > MAX_RESIDUAL:
        return NoFit(
            f"the points lie {residual:.2f} octaves off the curve on the average, more than "
            f"{MAX_RESIDUAL:g}"
        )
    low, high = (2.0**end for end in _interval(b, s, log_crit))
    crit, ends = 2.0**log_crit, (low == 0.0, high == np.inf)
    if not b[0] / WITHIN <= crit <= b[-1] * WITHIN or all(ends):
        return NoFit(
            f"no bend in sight between the sizes {b[0]:,.0f} and {b[-1]:,.0f}: "
            "B_crit lies outside of them, or anywhere"
        )
    s_min = 2.0 ** float(np.mean(s - np.log2(1 + crit / b)))
    regimes = {int(size): _regime(size, crit) for size in b}
    return Fit(s_min, crit, low, high, residual, regimes)


def _regime(size: float, crit: float) -> str:
    if size <= crit / WITHIN:
        return "perfect scaling"
    return "maximal" if size >= crit * WITHIN else "diminishing returns"


def _curve(b: Floats, s: Floats, log_crit: float) -> Floats:
    """Return the curve of a given B_crit, with the S_min that fits the points best."""
    shape = np.log2(1 + 2.0**log_crit / b)
    curve: Floats = shape + np.mean(s - shape)
    return curve


def _squares(b: Floats, s: Floats, log_crit: float) -> float:
    return float(np.sum((s - _curve(b, s, log_crit)) ** 2))


def _best_log_crit(b: Floats, s: Floats) -> float:
    """Return the logarithm of the B_crit with the least squares."""
    grid = np.linspace(np.log2(b.min()) - _SPAN / 2, np.log2(b.max()) + _SPAN / 2, 400)
    start = min(grid, key=lambda log_crit: _squares(b, s, log_crit))

    def residuals(log_crit: Floats) -> Any:
        return s - _curve(b, s, float(log_crit[0]))

    from scipy.optimize import least_squares

    result = least_squares(residuals, [start], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return float(result.x[0])


def _interval(b: Floats, s: Floats, log_crit: float) -> tuple[float, float]:
    """Return the interval in which the squares are not significantly above the least.

    The bound is that of an F test with one restriction (Bates and Watts 1988, section 2.2); an end
    is infinite if no value in that direction can be excluded.
    """
    least, freedom = _squares(b, s, log_crit), len(s) - 2
    if least < 1e-18:  # the points lie on the curve
        return log_crit, log_crit
    quantile = stdtrit(freedom, 0.5 + CONFIDENCE / 2)
    allowed = least * (1 + quantile**2 / freedom)

    from scipy.optimize import brentq

    def excess(at: float) -> float:
        return _squares(b, s, at) - float(allowed)

    ends = []
    for direction in (-1.0, 1.0):
        far = log_crit + direction * _SPAN / 2
        ends.append(
            float(brentq(excess, *sorted((log_crit, far))))
            if excess(far) > 0
            else direction * np.inf
        )
    return ends[0], ends[1]
