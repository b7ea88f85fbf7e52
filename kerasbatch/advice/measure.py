"""The cost of a step by batch size on this machine: peak memory, and seconds of both engines."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import kerasbatch.runs.runner as runner
from kerasbatch.advice.spec_variants import spec_variant
from kerasbatch.benchmark.settings import BenchmarkSettings
from kerasbatch.benchmark.timers import Benchmark, Timer
from kerasbatch.engine.device import computes_bfloat16
from kerasbatch.records.run_status import RunStatus
from kerasbatch.spec.reader import SpecSource

SIZES = (1, 4, 16, 64, 256, 1024, 4096)
SPEED_SETTINGS = BenchmarkSettings(rounds=3, round_seconds=0.6)
MEMORY_SHARE = 0.8
"""The share of free memory that a training may take."""
MIN_SECONDS = 20.0
"""The time that a new process needs to start and take two steps."""


@dataclass(frozen=True)
class Memory:
    """Peak memory of new processes.

    Args:
        peaks: MB by measured batch size.
        largest: the largest batch size that fits in the machine, at most all examples; or None if
            unknown.
        message: the evidence for it.
    """

    peaks: Mapping[int, float]
    largest: int | None
    message: str


@dataclass(frozen=True)
class Speeds:
    """Seconds of a step, one for each round, by batch size.

    Args:
        engine: by the engine that a run would use.
        plain: by plain `fit`.
        half: by the engine in mixed_bfloat16; empty if the device does not compute in it.
    """

    engine: Mapping[int, Sequence[float]] = field(default_factory=dict)
    plain: Mapping[int, Sequence[float]] = field(default_factory=dict)
    half: Mapping[int, Sequence[float]] = field(default_factory=dict)


def sizes_for(n: int) -> list[int]:
    """Return the batch sizes to measure for `n` training examples."""
    return [size for size in SIZES if size <= n]


def add_speeds(speeds: Speeds, benchmark: Benchmark, size: int) -> Speeds:
    """Time steps at a batch size, the engines in turn; return the speeds with this size.

    Args:
        speeds: the speeds at other sizes.
        benchmark: the model and data.
        size: the batch size.
    """
    timers: dict[str, Timer] = {
        "engine": benchmark.fused(size),
        "plain": benchmark.plain(size),
    }
    if benchmark.spec.precision == "float32" and computes_bfloat16():
        timers["half"] = benchmark.fused(size, precision="mixed_bfloat16")
    rounds = benchmark.rounds(list(timers.values()))
    seconds = {
        name: {size: [1 / speed for speed in column]}
        for name, column in zip(timers, zip(*rounds, strict=True), strict=True)
    }
    return Speeds(
        engine={**speeds.engine, **seconds["engine"]},
        plain={**speeds.plain, **seconds["plain"]},
        half={**speeds.half, **seconds.get("half", {})},
    )


def from_the_middle(sizes: list[int]) -> list[int]:
    """Return sizes from the middle outward, as the best one is likely in the middle."""
    middle = (len(sizes) - 1) / 2
    return sorted(sizes, key=lambda size: abs(sizes.index(size) - middle))


def measure_memory(
    source: SpecSource, n: int, sizes: Sequence[int], folder: Path, until: float, *, trust: bool
) -> Memory:
    """Measure peak memory in new processes, and predict the largest batch size that fits.

    The prediction is tried once, in a process of its own, which may fail.

    Args:
        source: a single-run spec.
        n: the number of its training examples.
        sizes: the batch sizes to measure, ascending.
        folder: the folder of the runs.
        until: the time, by `time.monotonic`, after which no further size begins.
        trust: whether the spec may run Python code.
    """

    def peak(size: int) -> float | None:
        without: dict[str, Any] = {"target": None, "save": [], "record": [], "callbacks": []}
        one = spec_variant(source, name=f"memory-{size}", batch_size=size, steps=2, **without)
        left = max(MIN_SECONDS, until - time.monotonic())
        result = runner.run(one, results=folder, rerun=True, timeout=left, trust=trust)
        peak_mb = result.row["peak_memory_mb"]
        is_measured = result.status == RunStatus.DONE and peak_mb is not None
        return float(peak_mb) if is_measured else None

    peaks = dict[int, float]()
    for size in (sizes[0], sizes[-1], *sizes[-2:0:-1]):
        if size in peaks or (time.monotonic() > until and len(peaks) > 1):
            continue
        if (peak_mb := peak(size)) is not None:
            peaks[size] = peak_mb
    return _largest(dict(sorted(peaks.items())), n, peak)


def _largest(peaks: dict[int, float], n: int, peak: Callable[[int], float | None]) -> Memory:
    """Predict the largest size from the line through the peaks, and try it."""
    if len(peaks) < 2:
        return Memory(peaks, None, "no two batch sizes could be measured")
    slope, base = np.polyfit(list(peaks), list(peaks.values()), 1)
    free = MEMORY_SHARE * psutil.virtual_memory().available / 1e6
    predicted = n if slope <= 0 else int(min(n, max(0, (free - base) / slope)))
    if predicted < 1:
        return Memory(peaks, None, f"not even one example fits into {free:,.0f} MB")
    peak_mb = peaks.get(predicted) or peak(predicted)
    if peak_mb is None:
        message = f"{predicted:,} was predicted to fit into {free:,.0f} MB, and did not"
        return Memory(peaks, max(peaks), message)
    message = f"it took {peak_mb:,.0f} of {free:,.0f} MB when it was tried"
    return Memory({**peaks, predicted: peak_mb}, predicted, message)
