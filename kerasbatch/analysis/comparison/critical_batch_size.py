"""The critical batch size: S = S_min (1 + B_crit / b) through the steps to a target.

McCandlish et al. 2018 (arXiv 1812.06162): below B_crit twice the batch takes about half the steps;
above it, hardly fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.text import counted

CONFIDENCE = 0.95
MIN_SIZES = 4
MAX_RESIDUAL = 0.5
"""The largest mean distance of the points from the curve, in octaves."""
WITHIN = 4.0
"""Scaling is perfect up to a quarter of B_crit, and maximal from four times B_crit."""
_HUBER = 1.345
"""A point beyond this many standard deviations counts less; 95 % efficient on normal noise."""
_SPAN = 60.0
"""The width of the search for B_crit around the sizes, in octaves."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """The curve through the steps to a target.

    Args:
        s_min: the lower limit of the steps, at any batch size.
        b_crit: the batch size that takes twice s_min steps.
        low: the lower end of the 95 % interval of b_crit.
        high: its upper end.
        residual: the mean distance of the points from the curve, in octaves.
        regimes: by batch size: perfect scaling, diminishing returns or maximal.
    """

    s_min: float
    b_crit: float
    low: float
    high: float
    residual: float
    regimes: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NoFit:
    """The reason why the points do not support a curve.

    Args:
        reason: its text for the user.
    """

    reason: str


def fit_steps(chosen: pd.DataFrame, question: Question) -> Fit | NoFit:
    """Fit the runs of a comparison that reached its target.

    Args:
        chosen: the runs of the chosen settings.
        question: the question that the comparison answers.
    """
    if question.target is None:
        return NoFit("there is no target; say --target")
    if "batch_size" not in question.by:
        return NoFit("rows are no batch sizes; compare by batch_size")
    reached = chosen[chosen["reached"]]
    return fit(reached["batch_size"].to_numpy(), reached[TO_TARGET_COLUMNS[0]].to_numpy())


def fit(sizes: Sequence[float] | Floats, steps: Sequence[float] | Floats) -> Fit | NoFit:
    """Fit S = S_min (1 + B_crit / b), in logarithms, robustly.

    The interval comes from the profile of the weighted squares. Residuals are pooled over all
    sizes, since a few seeds of one size are not enough to estimate its spread.

    Args:
        sizes: the batch size of every point.
        steps: the steps of every point to the target.

    Returns:
        The curve, or the reason why there is none.
    """
    b, s = np.asarray(sizes, float), np.log2(np.asarray(steps, float))
    different = np.unique(b)
    if len(different) < MIN_SIZES:
        return NoFit(
            f"{counted(len(different), 'batch size')} reached the target; a curve needs {MIN_SIZES}"
        )
    weights = _weights(b, s)
    log_crit = _best_log_crit(b, s, weights)
    residuals = s - _curve(b, s, weights, log_crit)
    residual = float(np.mean(np.abs(residuals)))
    if residual > MAX_RESIDUAL:
        return NoFit(
            f"the points lie {residual:.2f} octaves off the curve on the average, more than "
            f"{MAX_RESIDUAL:g}"
        )
    low, high = _interval(b, s, weights, log_crit)
    crit = 2.0**log_crit
    if not different[0] <= crit <= different[-1] or not np.isfinite([low, high]).all():
        return NoFit(
            f"no bend in sight between the sizes {different[0]:,.0f} and {different[-1]:,.0f}: "
            "B_crit lies outside of them, or anywhere"
        )
    s_min = 2.0 ** float(np.average(s - np.log2(1 + crit / b), weights=weights))
    regimes = {int(size): _regime(size, crit) for size in different}
    return Fit(s_min, crit, 2.0**low, 2.0**high, residual, regimes)


def _regime(size: float, crit: float) -> str:
    if size <= crit / WITHIN:
        return "perfect scaling"
    return "maximal" if size >= crit * WITHIN else "diminishing returns"


def _curve(b: Floats, s: Floats, weights: Floats, log_crit: float) -> Floats:
    """Return the curve of a given B_crit, with the S_min that fits the points best."""
    shape = np.log2(1 + 2.0**log_crit / b)
    curve: Floats = shape + np.average(s - shape, weights=weights)
    return curve


def _squares(b: Floats, s: Floats, weights: Floats, log_crit: float) -> float:
    return float(np.sum(weights * (s - _curve(b, s, weights, log_crit)) ** 2))


def _best_log_crit(b: Floats, s: Floats, weights: Floats) -> float:
    """Return the logarithm of the B_crit with the least weighted squares."""
    grid = np.linspace(np.log2(b.min()) - _SPAN / 2, np.log2(b.max()) + _SPAN / 2, 400)
    start = min(grid, key=lambda log_crit: _squares(b, s, weights, log_crit))

    def residuals(log_crit: Floats) -> Any:
        return np.sqrt(weights) * (s - _curve(b, s, weights, float(log_crit[0])))

    result = optimize.least_squares(residuals, [start], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return float(result.x[0])


def _weights(b: Floats, s: Floats) -> Floats:
    """Return Huber's weights, by iteratively reweighted least squares."""
    weights = np.ones_like(s)
    for _ in range(20):
        residuals = s - _curve(b, s, weights, _best_log_crit(b, s, weights))
        scale = float(stats.median_abs_deviation(residuals, scale="normal"))
        if scale < 1e-9:  # the points lie on the curve
            return np.ones_like(s)
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residuals), 1e-12))
    return weights


def _interval(b: Floats, s: Floats, weights: Floats, log_crit: float) -> tuple[float, float]:
    """Return the interval in which the weighted squares are not significantly above the least.

    The variance is that of Huber's estimate (Huber 1981, section 7.6), since the weights make the
    residuals too small.
    """
    least, freedom = _squares(b, s, weights, log_crit), len(s) - 2
    if least < 1e-18:
        return log_crit, log_crit
    weighted = weights * (s - _curve(b, s, weights, log_crit))
    variance = np.sum(weighted**2) / freedom / np.mean(weights == 1.0) ** 2
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)
    allowed = least + np.mean(weights) * quantile**2 * variance

    def excess(at: float) -> float:
        return _squares(b, s, weights, at) - float(allowed)

    ends = []
    for direction in (-1.0, 1.0):
        far = log_crit + direction * _SPAN / 2
        ends.append(
            float(optimize.brentq(excess, *sorted((log_crit, far))))
            if excess(far) > 0
            else direction * np.inf
        )
    return ends[0], ends[1]
