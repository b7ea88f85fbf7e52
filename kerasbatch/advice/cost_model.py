"""The batch size that follows from noise and timings, or the reason why none does.

Steps to a target grow as 1 + B / b with the noise scale B (McCandlish et al. 2018, arXiv
1812.06162), so that time(b) = (1 + B / b) times the seconds of a step at b, and examples(b) =
b + B, each in units of the best. The intervals combine the interval of the noise and the spread of
the timings, by seeded draws.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasbatch.types import Array

TOLERANCE = 1.1
"""A size whose time or examples lie within this factor of the least counts as equally good."""
MAX_RATIO = 8.0
"""The largest high / low of the noise scale, and the largest ratio of two sizes, for an advice."""
NOTABLE_GROWTH = 10.0
"""The growth of the noise scale from which a note names an early and a late size."""
MAX_ROUND_RATIO = 2.0
"""The largest factor between rounds of timing a step that counts as consistent."""
EARLY, LATE = 0.1, 0.9
"""Shares of the steps."""
DRAWS = 2000


@dataclass(frozen=True)
class NoiseAt:
    """The noise scale at an evaluation.

    Args:
        step: the number of steps before the evaluation.
        noise_scale: in examples, or None if it could not be estimated.
        low: the lower end of its 95 % interval.
        high: the upper end, possibly infinite.
    """

    step: int
    noise_scale: float | None
    low: float
    high: float


@dataclass(frozen=True)
class MeanNoise:
    """The noise scale over a training: a mean, each evaluation weighted by its share of the steps.

    Args:
        scale: the mean.
        low: the mean of the lower ends.
        high: the mean of the upper ends.
        early: the noise scale at a tenth of the steps.
        late: the noise scale at nine tenths.
        estimated_share: the share of the steps for which it could be estimated.
    """

    scale: float
    low: float
    high: float
    early: float
    late: float
    estimated_share: float


@dataclass(frozen=True)
class Costs:
    """The costs of batch sizes in units of the best; arrays of shape (sizes,).

    Args:
        sizes: the batch sizes.
        seconds: the time to the target.
        low: the lower end of its 95 % interval.
        high: the upper end.
        examples: the examples to the target.
    """

    sizes: Array
    seconds: Array
    low: Array
    high: Array
    examples: Array

    @property
    def fastest(self) -> int:
        """The batch size of the shortest time."""
        return int(self.sizes[np.argmin(self.seconds)])

    @property
    def in_range(self) -> list[int]:
        """The batch sizes whose time is nearly the shortest."""
        return [int(size) for size in self.sizes[self.seconds <= TOLERANCE]]

    def spread(self, factor: float) -> tuple[list[int], float]:
        """Return the sizes within a factor of the shortest time, and the longest of their times."""
        near = self.seconds <= factor
        return [int(size) for size in self.sizes[near]], float(self.seconds[near].max())

    @property
    def thrifty(self) -> int:
        """The largest batch size that needs nearly the fewest examples."""
        return int(max(self.sizes[self.examples <= TOLERANCE]))


def mean_noise(rows: Sequence[NoiseAt]) -> MeanNoise | None:
    """Return the mean noise over a training, or None if nothing was trained.

    The weight of an evaluation is the number of steps nearer to it than to any other evaluation.
    """
    if not rows or rows[-1].step == 0:
        return None
    steps = np.array([row.step for row in rows], float)
    edges = np.concatenate([[0.0], (steps[1:] + steps[:-1]) / 2, [steps[-1]]])
    shares = np.diff(edges) / edges[-1]
    counted = shares > 0
    # A noise scale without an estimate has only a lower bound.
    scales = np.array([row.low if row.noise_scale is None else row.noise_scale for row in rows])
    lows, highs = (np.array([getattr(row, name) for row in rows]) for name in ("low", "high"))
    estimated = np.array([row.noise_scale is not None for row in rows])
    return MeanNoise(
        scale=float(shares @ scales),
        low=float(shares @ lows),
        high=float(shares[counted] @ highs[counted]),
        early=float(np.interp(EARLY, steps / edges[-1], scales)),
        late=float(np.interp(LATE, steps / edges[-1], scales)),
        estimated_share=float(shares[estimated].sum()),
    )


def batch_size_costs(noise: MeanNoise, seconds: Mapping[int, Sequence[float]]) -> Costs:
    """Return the cost of every batch size.

    Args:
        noise: the mean noise over a training.
        seconds: of a step, by batch size, one for each round of timing.
    """
    sizes = np.array(sorted(seconds), float)
    time = relative_times(noise.scale, seconds)
    low, high = np.quantile(_draw_relative_times(noise, sizes, seconds), [0.025, 0.975], axis=0)
    examples = sizes + noise.scale
    return Costs(sizes, time / time.min(), low, high, examples / examples.min())


def seconds_to_target(
    noise: MeanNoise, seconds: Mapping[int, Sequence[float]], steps: int, batch_size: int
) -> dict[int, float]:
    """Return the predicted seconds of a training to its target, by batch size.

    Args:
        noise: the mean noise over a training.
        seconds: of a step, by batch size, one for each round of timing.
        steps: the steps to the target of a training at `batch_size`.
        batch_size: its batch size.
    """
    least = steps / (1 + noise.scale / batch_size)
    times = relative_times(noise.scale, seconds)
    return {size: float(least * time) for size, time in zip(sorted(seconds), times, strict=True)}


def _draw_relative_times(
    noise: MeanNoise, sizes: Array, seconds: Mapping[int, Sequence[float]]
) -> Array:
    """Draw relative times, shape (DRAWS, sizes): B log-normal, one round of timing at random."""
    random = np.random.default_rng(0)
    error = (math.log(noise.high) - math.log(max(noise.low, 1e-9))) / (2 * 1.96)
    scales = noise.scale * np.exp(error * random.standard_normal((DRAWS, 1)))
    rounds = np.stack([random.choice(seconds[int(size)], DRAWS) for size in sizes], axis=1)
    times = (1 + scales / sizes) * rounds
    relative: Array = times / times.min(axis=1, keepdims=True)
    return relative


def fastest(scale: float, seconds: Mapping[int, Sequence[float]]) -> int:
    """Return the batch size of the shortest time at a noise scale."""
    return sorted(seconds)[int(np.argmin(relative_times(scale, seconds)))]


def speedup(
    scale: float, seconds: Mapping[int, Sequence[float]], other: Mapping[int, Sequence[float]]
) -> tuple[int, float]:
    """Return the fastest size by the other times of a step, and the factor of the speedup.

    Args:
        scale: the noise scale.
        seconds: of a step, by batch size, one for each round of timing.
        other: the same with another setting.
    """
    times = relative_times(scale, seconds).min() / relative_times(scale, other).min()
    return fastest(scale, other), float(times)


def relative_times(scale: float, seconds: Mapping[int, Sequence[float]]) -> Array:
    """Return (1 + B / b) times the median seconds of a step, by ascending batch size."""
    return np.array([(1 + scale / b) * float(np.median(seconds[b])) for b in sorted(seconds)])


def noise_growth_note(noise: MeanNoise, seconds: Mapping[int, Sequence[float]]) -> str:
    """Return a note if the noise grew much, or an empty text."""
    if noise.late < NOTABLE_GROWTH * noise.early:
        return ""
    early, late = fastest(noise.early, seconds), fastest(noise.late, seconds)
    return (
        f"The noise scale grew from {noise.early:,.0f} to {noise.late:,.0f}: early {early:,} would "
        f"be the fastest size, late {late:,}."
    )
