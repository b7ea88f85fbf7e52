"""From noise and timings to a batch size, or to the reason why it cannot be told.

Steps to a target grow as 1 + B / b with the noise scale B (McCandlish et al. 2018, arXiv
1812.06162), so that time(b) = (1 + B / b) times the seconds of a step at b, and examples(b) =
b + B, each in units of the best. The intervals carry the noise's own interval and the spread of the
timings through, by draws with a seed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasbatch.types import Array

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
    """Return the noise over a training, or None where nothing was trained.

    An evaluation stands for the steps from half way since the one before to half way to the next.
    """
    if not rows or rows[-1].step == 0:
        return None
    steps = np.array([row.step for row in rows], float)
    edges = np.concatenate([[0.0], (steps[1:] + steps[:-1]) / 2, [steps[-1]]])
    shares = np.diff(edges) / edges[-1]
    counted = shares > 0
    # Where it could not be told, it is known to lie above its lower end, and no more.
    scales = np.array([row.low if row.noise_scale is None else row.noise_scale for row in rows])
    lows, highs = (np.array([getattr(row, name) for row in rows]) for name in ("low", "high"))
    known = np.array([row.noise_scale is not None for row in rows])
    return MeanNoise(
        scale=float(shares @ scales),
        low=float(shares @ lows),
        high=float(shares[counted] @ highs[counted]),
        early=float(np.interp(EARLY, steps / edges[-1], scales)),
        late=float(np.interp(LATE, steps / edges[-1], scales)),
        told=float(shares[known].sum()),
    )


def batch_size_costs(noise: MeanNoise, seconds: Mapping[int, Sequence[float]]) -> Costs:
    """Return what every batch size costs.

    Args:
        noise: the noise over a training.
        seconds: of a step, by batch size, one for each round of timing.
    """
    sizes = np.array(sorted(seconds), float)
    time = _times(noise.scale, seconds)
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
    return sorted(seconds)[int(np.argmin(_times(scale, seconds)))]


def speedup(
    scale: float, seconds: Mapping[int, Sequence[float]], other: Mapping[int, Sequence[float]]
) -> tuple[int, float]:
    """Return the size that other times of a step make the fastest, and by what factor they do.

    Args:
        scale: the noise scale.
        seconds: of a step, by batch size, one for each round of timing.
        other: the same in another way.
    """
    times = _times(scale, seconds).min() / _times(scale, other).min()
    return fastest(scale, other), float(times)


def _times(scale: float, seconds: Mapping[int, Sequence[float]]) -> Array:
    """Return (1 + B / b) times the median seconds of a step, by ascending batch size."""
    return np.array([(1 + scale / b) * float(np.median(seconds[b])) for b in sorted(seconds)])


def untimed_neighbour(best: int, timed: Iterable[int], sizes: Sequence[int]) -> int | None:
    """Return the next size that was not timed, where the best is at the edge of those that were.

    Args:
        best: the best size.
        timed: those that were timed.
        sizes: all that should have been, ascending.
    """
    known = sorted(timed)
    larger = [size for size in sizes if size > best and size not in known]
    smaller = [size for size in sizes if size < best and size not in known]
    if best == known[-1] and larger:
        return larger[0]
    return smaller[-1] if best == known[0] and smaller else None


def advice_obstacle(
    noise: MeanNoise | None, seconds: Mapping[int, Sequence[float]], sizes: Sequence[int]
) -> str | None:
    """Say why nothing can be told, and what would decide; or None.

    Args:
        noise: the noise over a training.
        seconds: of a step, by batch size, one for each round of timing.
        sizes: the batch sizes that should have been timed, ascending.
    """
    if noise is None or noise.told < 0.5:
        return (
            "the noise of the gradient could not be told over most of the training; more data, or "
            "a training that learns more, would decide"
        )
    if noise.low <= 0 and math.isfinite(noise.high) and noise.high < 1:
        return "the gradients of the examples hardly differ; other data would decide"
    if not math.isfinite(noise.high) or noise.high > WIDEST * noise.low:
        return (
            f"the noise scale lies anywhere from {noise.low:,.0f} to {noise.high:,.0f}; more "
            "training examples would decide"
        )
    if unsteady := _contradictory(noise.scale, seconds):
        return (
            f"a step at batch size {unsteady[0]:,} took {min(seconds[unsteady[0]]):.2g} s in one "
            f"round and {max(seconds[unsteady[0]]):.2g} s in another; a machine with nothing else "
            "to do would decide"
        )
    best = fastest(noise.scale, seconds)
    if untimed := untimed_neighbour(best, seconds, sizes):
        return (
            f"batch size {best:,} is the fastest of those that there was time to try, and "
            f"{untimed:,} was not tried; more minutes would decide"
        )
    early, late = fastest(noise.early, seconds), fastest(noise.late, seconds)
    if _apart(_nearly_fastest(noise.early, seconds), _nearly_fastest(noise.late, seconds)):
        return (
            f"the noise grows so much that {early:,} would be right early and {late:,} late; a "
            "target that says how far to train would decide, or a batch size that grows"
        )
    return None


def _contradictory(scale: float, seconds: Mapping[int, Sequence[float]]) -> list[int]:
    """Return the sizes whose rounds of timing differ, and that might be the best for all we know.

    A size that is far from the best by its quickest round, too, decides nothing.
    """
    least = _times(scale, seconds).min()
    return [
        b
        for b, told in seconds.items()
        if max(told) > UNSTEADY * min(told) and (1 + scale / b) * min(told) <= WITHIN * least
    ]


def _nearly_fastest(scale: float, seconds: Mapping[int, Sequence[float]]) -> list[int]:
    """Return the batch sizes whose time is within 10 % of the least at a noise scale."""
    times = _times(scale, seconds)
    return [
        b for b, time in zip(sorted(seconds), times, strict=True) if time <= WITHIN * min(times)
    ]


def _apart(one: Sequence[int], other: Sequence[int]) -> bool:
    """Tell whether all sizes of one group lie far from all of another."""
    return all(max(a, b) > WIDEST * min(a, b) for a in one for b in other)


def noise_growth_note(noise: MeanNoise, seconds: Mapping[int, Sequence[float]]) -> str:
    """Return a hint where the noise grew much, or an empty text."""
    if noise.late < GROWN * noise.early:
        return ""
    early, late = fastest(noise.early, seconds), fastest(noise.late, seconds)
    return (
        f"The noise scale grew from {noise.early:,.0f} to {noise.late:,.0f}: early {early:,} would "
        f"be the fastest size, late {late:,}."
    )
