"""The obstacles to an advice: weak noise, unsteady timings, sizes that were not timed."""

import math
from collections.abc import Iterable, Mapping, Sequence

from kerasbatch.advice.cost_model import (
    MAX_RATIO,
    MAX_ROUND_RATIO,
    TOLERANCE,
    MeanNoise,
    fastest,
    relative_times,
)


def untimed_neighbour(best: int, timed: Iterable[int], sizes: Sequence[int]) -> int | None:
    """Return the next untimed size if the best is at the edge of the timed sizes, else None.

    Args:
        best: the best size.
        timed: the sizes that were timed.
        sizes: all sizes to time, ascending.
    """
    ordered = sorted(timed)
    larger = [size for size in sizes if size > best and size not in ordered]
    smaller = [size for size in sizes if size < best and size not in ordered]
    if best == ordered[-1] and larger:
        return larger[0]
    return smaller[-1] if best == ordered[0] and smaller else None


def advice_obstacle(
    noise: MeanNoise | None, seconds: Mapping[int, Sequence[float]], sizes: Sequence[int]
) -> str | None:
    """Return the obstacle to an advice with its remedy, or None.

    Args:
        noise: the mean noise over a training.
        seconds: of a step, by batch size, one for each round of timing.
        sizes: the batch sizes to time, ascending.
    """
    if noise is None or noise.estimated_share < 0.5:
        return (
            "the noise of the gradient could not be estimated over most of the training; more "
            "data, or a training that learns more, would decide"
        )
    if noise.low <= 0 and math.isfinite(noise.high) and noise.high < 1:
        return "the gradients of the examples hardly differ; other data would decide"
    if not math.isfinite(noise.high) or noise.high > MAX_RATIO * noise.low:
        return (
            f"the noise scale lies anywhere from {noise.low:,.0f} to {noise.high:,.0f}; more "
            "training examples would decide"
        )
    if unsteady := _unsteady_sizes(noise.scale, seconds):
        return (
            f"a step at batch size {unsteady[0]:,} took {min(seconds[unsteady[0]]):.2g} s in one "
            f"round and {max(seconds[unsteady[0]]):.2g} s in another; an idle machine would decide"
        )
    best = fastest(noise.scale, seconds)
    if untimed := untimed_neighbour(best, seconds, sizes):
        return (
            f"batch size {best:,} is the fastest of those that there was time to try, and "
            f"{untimed:,} was not tried; more minutes would decide"
        )
    early, late = fastest(noise.early, seconds), fastest(noise.late, seconds)
    if _far_apart(_nearly_fastest(noise.early, seconds), _nearly_fastest(noise.late, seconds)):
        return (
            f"the noise grows so much that {early:,} would be right early and {late:,} late; a "
            "target that says how far to train would decide, or a batch size that grows"
        )
    return None


def _unsteady_sizes(scale: float, seconds: Mapping[int, Sequence[float]]) -> list[int]:
    """Return the sizes that may be the best and whose rounds of timing differ much.

    A size that is far from the best even by its quickest round is left out.
    """
    shortest = relative_times(scale, seconds).min()
    return [
        b
        for b, rounds in seconds.items()
        if max(rounds) > MAX_ROUND_RATIO * min(rounds)
        and (1 + scale / b) * min(rounds) <= TOLERANCE * shortest
    ]


def _nearly_fastest(scale: float, seconds: Mapping[int, Sequence[float]]) -> list[int]:
    """Return the batch sizes whose time is within 10 % of the shortest at a noise scale."""
    times = relative_times(scale, seconds)
    return [
        b for b, time in zip(sorted(seconds), times, strict=True) if time <= TOLERANCE * min(times)
    ]


def _far_apart(sizes: Sequence[int], others: Sequence[int]) -> bool:
    """Return whether all sizes of one group lie far from all sizes of the other."""
    return all(max(a, b) > MAX_RATIO * min(a, b) for a in sizes for b in others)
