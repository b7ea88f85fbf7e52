"""From noise and timings to a batch size, or to the reason why it cannot be told.

Steps to a target grow as 1 + B / b with the noise scale B (McCandlish et al. 2018, arXiv
1812.06162), so that time(b) = (1 + B / b) times the seconds of a step at b, and examples(b) =
b + B, each in units of the best. The intervals carry the noise's own interval and the spread of the
timings through, by draws with a seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasbatch.shared_types import Array

WITHIN = 1.1
"""A size whose time, or whose examples, are within this factor of the least is as good."""
WIDEST = 8.0
"""high / low of the noise scale from which on nothing is told; and the same between two sizes."""
GROWN = 10.0
"""Growth of the noise scale from which on early and late sizes are told apart."""
UNSTEADY = 2.0
"""Between rounds of timing a step, the factor from which on they contradict themselves."""
EARLY, LATE = 0.1, 0.9
DRAWS = 2000


@dataclass(frozen=True)
class NoiseAt:
    """The noise scale at an evaluation.

    Args:
        step: after how many steps.
        noise_scale: in examples, or None where it could not be told.
        low: the lower end of its 95 % interval.
        high: the upper end, perhaps infinite.
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
        told: the share of the steps at which it could be told.
    """

    scale: float
    low: float
    high: float
    early: float
    late: float
    told: float


@dataclass(frozen=True)
class Costs:
    """What batch sizes cost, in units of the best; arrays of shape (sizes,).

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
        """The batch size of the least time."""
        return int(self.sizes[np.argmin(self.seconds)])

    @property
    def in_range(self) -> list[int]:
        """The batch sizes whose time is nearly the least."""
        return [int(size) for size in self.sizes[self.seconds <= WITHIN]]

    @property
    def thrifty(self) -> int:
        """The largest batch size that needs nearly the fewest examples."""
        return int(max(self.sizes[self.examples <= WITHIN]))


def mean_noise(rows: Sequence[NoiseAt]) -> MeanNoise | None:
    """Return the noise over a training, or None where it was told nowhere.

    An evaluation stands for the steps from half way since the one before to half way to the next.
    """
    told = [row for row in rows if row.noise_scale is not None]
    if not told or rows[-1].step == 0:
        return None
    steps = np.array([row.step for row in rows], float)
    edges = np.concatenate([[0.0], (steps[1:] + steps[:-1]) / 2, [steps[-1]]])
    known = np.array([row.noise_scale is not None for row in rows])
    shares = np.diff(edges)[known] / edges[-1]
    weights = shares / shares.sum() if shares.sum() else np.full(len(told), 1 / len(told))
    scales = np.array([row.noise_scale or 0.0 for row in told])
    at = np.array([row.step for row in told], float) / edges[-1]
    return MeanNoise(
        scale=float(weights @ scales),
        low=float(weights @ [row.low for row in told]),
        high=float(weights @ [row.high for row in told]),
        early=float(np.interp(EARLY, at, scales)),
        late=float(np.interp(LATE, at, scales)),
        told=float(shares.sum()),
    )


def costs(noise: MeanNoise, seconds: Mapping[int, Sequence[float]]) -> Costs:
    """Return what every batch size costs.

    Args:
        noise: the noise over a training.
        seconds: of a step, by batch size, one for each round of timing.
    """
    sizes = np.array(sorted(seconds), float)
    medians = np.array([np.median(seconds[int(size)]) for size in sizes])
    time = (1 + noise.scale / sizes) * medians
    low, high = np.quantile(_drawn(noise, sizes, seconds), [0.025, 0.975], axis=0)
    examples = sizes + noise.scale
    return Costs(sizes, time / time.min(), low, high, examples / examples.min())


def _drawn(noise: MeanNoise, sizes: Array, seconds: Mapping[int, Sequence[float]]) -> Array:
    """Draw relative times, shape (DRAWS, sizes): B log-normal in its interval, rounds at random."""
    random = np.random.default_rng(0)
    error = (math.log(noise.high) - math.log(max(noise.low, 1e-9))) / (2 * 1.96)
    scales = noise.scale * np.exp(error * random.standard_normal((DRAWS, 1)))
    rounds = np.stack([random.choice(seconds[int(size)], DRAWS) for size in sizes], axis=1)
    times = (1 + scales / sizes) * rounds
    drawn: Array = times / times.min(axis=1, keepdims=True)
    return drawn


def fastest(scale: float, seconds: Mapping[int, Sequence[float]]) -> int:
    """Return the batch size of the least time at a noise scale."""
    return min(seconds, key=lambda b: (1 + scale / b) * float(np.median(seconds[b])))


def obstacle(noise: MeanNoise | None, seconds: Mapping[int, Sequence[float]]) -> str | None:
    """Say why nothing can be told, and what would decide; or None."""
    if noise is None or noise.told < 0.5:
        return (
            "the noise of the gradient could not be told over most of the training; more data, or "
            "a training that learns more, would decide"
        )
    if not math.isfinite(noise.high) or noise.high > WIDEST * noise.low:
        return (
            f"the noise scale lies anywhere from {noise.low:,.0f} to {noise.high:,.0f}; more "
            "training examples, or more minutes, would decide"
        )
    unsteady = [b for b, told in seconds.items() if max(told) > UNSTEADY * min(told)]
    if unsteady:
        return (
            f"a step at batch size {unsteady[0]:,} took {min(seconds[unsteady[0]]):.2g} s in one "
            f"round and {max(seconds[unsteady[0]]):.2g} s in another; a machine with nothing else "
            "to do would decide"
        )
    early, late = fastest(noise.early, seconds), fastest(noise.late, seconds)
    if max(early, late) > WIDEST * min(early, late):
        return (
            f"the noise grows so much that {early:,} would be right early and {late:,} late; a "
            "target that says how far to train would decide, or a batch size that grows"
        )
    return None


def growth(noise: MeanNoise, seconds: Mapping[int, Sequence[float]]) -> str:
    """Return a hint where the noise grew much, or an empty text."""
    if noise.late < GROWN * noise.early:
        return ""
    early, late = fastest(noise.early, seconds), fastest(noise.late, seconds)
    return (
        f"The noise scale grew from {noise.early:,.0f} to {noise.late:,.0f}: early {early:,} would "
        f"be the fastest size, late {late:,}."
    )
