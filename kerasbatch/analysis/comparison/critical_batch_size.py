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

from kerasbatch.analysis.comparison.selection import Question
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.text import counted

CONFIDENCE = 0.95
LEAST_SIZES = 4
MOST_RESIDUAL = 0.5
"""Octaves that a point may lie off the curve on the average."""
WITHIN = 4.0
"""From a quarter of B_crit down, scaling is called perfect; from four times B_crit up, maximal."""
_HUBER = 1.345
"""Standard deviations from which on a point counts less; 95 % efficient on normal noise."""
_SPAN = 60.0
"""Octaves around the sizes in which B_crit is looked for."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """The curve through the steps to a target.

    Args:
        s_min: the steps that no batch size goes below.
        b_crit: the batch size at which steps are twice s_min.
        low: the lower end of the 95 % interval of b_crit.
        high: its upper end.
        residual: how far a point lies off the curve on the average, in octaves.
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
    """Why the points do not support a curve.

    Args:
        reason: the same for a person.
    """

    reason: str


def fit_steps(chosen: pd.DataFrame, question: Question) -> Fit | NoFit:
    """Fit the runs of a comparison that reached its target.

    Args:
        chosen: the runs of the chosen settings.
        question: what was compared.
    """
    if question.target is None:
        return NoFit("there is no target; say --target")
    if "batch_size" not in question.by:
        return NoFit("rows are no batch sizes; compare by batch_size")
    reached = chosen[chosen["reached"]]
    return fit(reached["batch_size"].to_numpy(), reached[TO_TARGET_COLUMNS[0]].to_numpy())


def fit(sizes: Sequence[float] | Floats, steps: Sequence[float] | Floats) -> Fit | NoFit:
    """Fit S = S_min (1 + B_crit / b), in logarithms, robustly.

    The interval is that of the profile of the weighted squares: residuals are pooled over all
    sizes, since a few seeds of one size say little of its spread.

    Args:
        sizes: the batch size of every point.
        steps: the steps that it took to the target.

    Returns:
        The curve, or why there is none.
    """
    b, s = np.asarray(sizes, float), np.log2(np.asarray(steps, float))
    different = np.unique(b)
    if len(different) < LEAST_SIZES:
        return NoFit(
            f"{counted(len(different), 'batch size')} reached the target; a curve needs "
            f"{LEAST_SIZES}"
        )
    weights = _weights(b, s)
    log_crit = _best(b, s, weights)
    residuals = s - _curve(b, s, weights, log_crit)
    residual = float(np.mean(np.abs(residuals)))
    if residual > MOST_RESIDUAL:
        return NoFit(
            f"the points lie {residual:.2f} octaves off the curve on the average, more than "
            f"{MOST_RESIDUAL:g}"
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
    """Return the curve of some B_crit, its S_min the best for the points."""
    shape = np.log2(1 + 2.0**log_crit / b)
    curve: Floats = shape + np.average(s - shape, weights=weights)
    return curve


def _squares(b: Floats, s: Floats, weights: Floats, log_crit: float) -> float:
    return float(np.sum(weights * (s - _curve(b, s, weights, log_crit)) ** 2))


def _best(b: Floats, s: Floats, weights: Floats) -> float:
    """Return the logarithm of the B_crit of least weighted squares."""
    grid = np.linspace(np.log2(b.min()) - _SPAN / 2, np.log2(b.max()) + _SPAN / 2, 400)
    start = min(grid, key=lambda log_crit: _squares(b, s, weights, log_crit))

    def residuals(log_crit: Floats) -> Any:
        return np.sqrt(weights) * (s - _curve(b, s, weights, float(log_crit[0])))

    found = optimize.least_squares(residuals, [start], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return float(found.x[0])


def _weights(b: Floats, s: Floats) -> Floats:
    """Return Huber's weights, found by fitting again and again."""
    weights = np.ones_like(s)
    for _ in range(20):
        residuals = s - _curve(b, s, weights, _best(b, s, weights))
        scale = float(stats.median_abs_deviation(residuals, scale="normal"))
        if scale < 1e-9:  # points on the curve
            return np.ones_like(s)
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residuals), 1e-12))
    return weights


def _interval(b: Floats, s: Floats, weights: Floats, log_crit: float) -> tuple[float, float]:
    """Return where the weighted squares are not significantly larger than their least.

    The variance is that of Huber's estimate (Huber 1981, section 7.6): weights make the residuals
    themselves look smaller than they are.
    """
    least, freedom = _squares(b, s, weights, log_crit), len(s) - 2
    if least < 1e-18:
        return log_crit, log_crit
    weighed = weights * (s - _curve(b, s, weights, log_crit))
    variance = np.sum(weighed**2) / freedom / np.mean(weights == 1.0) ** 2
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
