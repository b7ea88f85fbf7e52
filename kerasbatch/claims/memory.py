"""A claim about memory: with too many examples at once there is not enough (statement 1)."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kerasbatch.claims.claim import Claim, Study, by_size
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.verdict import above

SEPARATE = 600.0
"""A time limit in seconds; a run with a limit is trained in its own process."""


@dataclass(frozen=True)
class Memory:
    """The peak memory of fresh processes in MB.

    Args:
        data: the name of the data.
        peaks: the batch size to the peaks of its processes; None where the system tells none.
    """

    data: str
    peaks: Mapping[int, Sequence[float | None]]


def measure_memory(runner: ClaimRunner) -> Memory:
    """Train two steps in fresh processes: a small batch, a large one, the small one again."""
    spec = runner.classifier(engine="keras", model="cnn", validation="none")
    n = runner.arrays(spec)[1].count
    del spec["epochs"]
    small, large = 16, min(4096, n)
    peaks: dict[int, list[float | None]] = {small: [], large: []}
    for size in (small, large) if runner.quick else (small, large, small):
        run = runner.run(spec | {"batch_size": size, "steps": 2}, timeout=SEPARATE)
        peaks[size].append(run.row["peak_memory_mb"])
    return Memory(runner.data, peaks)


GROWTH = 1.1
"""The ratio of peaks from which on memory grows with the batch size."""


def judge_memory(measured: Memory) -> list[Claim]:
    """Statement 1: with too many examples at once there is not enough memory."""
    peaks = {
        size: [float("nan") if value is None else value for value in values]
        for size, values in measured.peaks.items()
    }
    small, large = min(peaks), max(peaks)
    growth = [one / other for one in peaks[large] for other in peaks[small]]
    per_example = (statistics.median(peaks[large]) - statistics.median(peaks[small])) / (
        large - small
    )
    numbers = {
        "data": measured.data,
        "shown": by_size({size: statistics.median(values) for size, values in peaks.items()}),
        "per_example": per_example,
        "low": min(growth),
        "high": max(growth),
        "least": GROWTH,
    }
    return [Claim("memory", above(growth, GROWTH), numbers)]


STUDIES = (Study("Statement 1: memory", measure_memory, judge_memory),)
