"""The noise scale from the gradients of small batches: unbiased parts, ratio and interval.

For k small batches of s examples with mean gradients h_j, their mean H and V = sum |h_j - H|^2 /
(k - 1): tr(Sigma) = s V, |G|^2 = |H|^2 - V / k, both unbiased for the population that the examples
are drawn from (McCandlish et al. 2018, arXiv 1812.06162, A.2, with all batches for the large one).
Their ratio is the noise scale B_simple (eq. 2.9). Each part is averaged before dividing, and
nothing is clipped: a mean of ratios is biased, and so is an estimate that may not be negative.

The interval is Fieller's interval for a ratio of two estimates. Their covariance comes from the
jackknife over groups of small batches. The interval has no upper end if |G|^2 is not significantly
different from 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from kerasbatch.columns import NOISE_COLUMNS
from kerasbatch.types import Array

CONFIDENCE = 0.95
MIN_GROUPS = 3


@dataclass(frozen=True)
class GradientNoise:
    """The variation of the gradients of single examples, at the present weights of a model.

    Attributes:
        noise_scale: tr(Sigma) / |G|^2, in examples; None if |G|^2 is not significantly above 0.
        low: the lower end of its 95 % interval.
        high: the upper end; infinite if |G|^2 is not significantly above 0.
        trace: tr(Sigma), the trace of the covariance of the gradients of single examples.
        squared_norm: |G|^2, the squared norm of the mean gradient; an estimate may be negative.
        examples: the number of examples in the measurement.
        small_batch: the number of examples per gradient.
        message: the result in words.
    """

    noise_scale: float | None
    low: float
    high: float
    trace: float
    squared_norm: float
    examples: int
    small_batch: int
    message: str

    def row(self, step: int, examples: int | None) -> dict[str, float | None]:
        """Return a row of noise.csv.

        Args:
            step: the training step of the measurement.
            examples: the number of training examples up to this step, or None if unknown.
        """
        values = (self.noise_scale, self.low, self.high, self.trace, self.squared_norm)
        return dict(zip(NOISE_COLUMNS, (step, examples, *values), strict=True))


@dataclass(frozen=True)
class GradientSums:
    """Sums over small batches, by group.

    Args:
        norms: |S_g|^2 of the sum S_g of each group's mean gradients, shape (groups,).
        dots: S_g . S with the sum S of all groups, shape (groups,).
        squares: the sum of |h_j|^2 in each group, shape (groups,).
        counts: the number of small batches in each group, shape (groups,).
        small_batch: the number of examples in a small batch.
    """

    norms: Array
    dots: Array
    squares: Array
    counts: Array
    small_batch: int

    @property
    def batches(self) -> int:
        """The number of small batches."""
        return int(self.counts.sum())

    @property
    def examples(self) -> int:
        """The number of examples."""
        return self.batches * self.small_batch


def exact_noise(sums: GradientSums) -> GradientNoise:
    """Return the exact noise scale of a population, from the gradients of all its examples."""
    m = sums.batches
    squared_norm = float(sums.dots.sum()) / m**2
    trace = float(sums.squares.sum()) / m - squared_norm
    scale = trace / squared_norm if squared_norm > 0 else None
    end = math.inf if scale is None else scale
    message = f"exact for these {m:,} examples" if scale is not None else "the gradient is 0"
    low = 0.0 if scale is None else scale
    return GradientNoise(scale, low, end, trace, squared_norm, m, 1, message)


def estimate_noise(sums: GradientSums) -> GradientNoise:
    """Estimate the noise scale of the population that the examples are drawn from."""
    trace, squared_norm = _parts(sums, sums.dots.sum(), sums.squares.sum(), sums.batches)
    z = _quantile(len(sums.counts)) if len(sums.counts) >= MIN_GROUPS else math.nan
    low, high = _fieller(float(trace), float(squared_norm), z, *_jackknife(sums))
    is_significant = math.isfinite(high) and squared_norm > 0
    scale = float(trace / squared_norm) if is_significant else None
    message = (
        f"noise scale {scale:,.3g} ({low:,.3g} to {high:,.3g}) from {sums.examples:,} examples"
        if is_significant
        else _undecided(sums, float(squared_norm))
    )
    return GradientNoise(
        noise_scale=scale,
        low=low,
        high=high if is_significant else math.inf,
        trace=float(trace),
        squared_norm=float(squared_norm),
        examples=sums.examples,
        small_batch=sums.small_batch,
        message=message,
    )


def _parts(
    sums: GradientSums, norm: Array, squares: Array, batches: Array | int
) -> tuple[Array, Array]:
    """Return tr(Sigma) and |G|^2 from |S|^2, sum |h_j|^2 and the number of batches."""
    variance = (squares - norm / batches) / (batches - 1)
    return sums.small_batch * variance, norm / batches**2 - variance / batches


def _jackknife(sums: GradientSums) -> tuple[float, float, float]:
    """Return the variances of tr(Sigma) and |G|^2, and their covariance.

    Each group of small batches is left out in turn. NaN if there are too few.
    """
    groups = len(sums.counts)
    remaining = sums.batches - sums.counts
    if groups < MIN_GROUPS or remaining.min() < 2:
        return math.nan, math.nan, math.nan
    norm = sums.dots.sum() - 2 * sums.dots + sums.norms
    without = np.stack(_parts(sums, norm, sums.squares.sum() - sums.squares, remaining))
    deviations = without - without.mean(axis=1, keepdims=True)
    covariances = (groups - 1) / groups * (deviations @ deviations.T)
    (trace, covariance), (_, squared_norm) = covariances
    return float(trace), float(squared_norm), float(covariance)


def _fieller(
    trace: float, squared_norm: float, z: float, var_trace: float, var_norm: float, cov: float
) -> tuple[float, float]:
    """Return the ends of the interval of trace / squared_norm, not below 0.

    It holds the ratios r for which trace - r squared_norm is within z standard errors of 0: a
    quadratic condition in r. It is unbounded above if squared_norm may be 0.
    """
    if math.isnan(cov):
        return 0.0, math.inf
    a = squared_norm**2 - z**2 * var_norm
    b = trace * squared_norm - z**2 * cov
    c = trace**2 - z**2 * var_trace
    root = math.sqrt(max(b**2 - a * c, 0.0))
    if a > 0 and squared_norm > 0:
        return max((b - root) / a, 0.0), max((b + root) / a, 0.0)
    if a >= 0 or c <= 0:
        return 0.0, math.inf  # the mean gradient may be 0, or the gradients do not differ
    return max((b - root) / a, (b + root) / a, 0.0), math.inf


def _undecided(sums: GradientSums, squared_norm: float) -> str:
    """Return a message with the number of further examples that would make |G|^2 significant."""
    message = f"|G|^2 cannot be distinguished from 0 by {sums.examples:,} examples"
    _, variance, _ = _jackknife(sums)
    if math.isnan(variance):
        return f"{message}; more would give an interval"
    z = _quantile(len(sums.counts))
    if squared_norm <= 0:
        return f"{message}; more than {sums.examples:,} more would decide"
    # The error falls at least as the root of the number of examples.
    more = max(1, math.ceil((z**2 * variance / squared_norm**2 - 1) * sums.examples))
    return f"{message}; about {more:,} more would decide"


def _quantile(groups: int) -> float:
    """Return the half width of the interval, in standard errors."""
    # Importing scipy.stats takes most of a second, and every run imports this module.
    from scipy import stats

    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, groups - 1))
