"""What a step costs by batch size on this machine: peak memory, seconds, and plain `fit` beside."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import kerasbatch.runs.runner as runner
from kerasbatch.advice.spec_variants import spec_variant
from kerasbatch.benchmark.engines import FusedTimer, PlainTimer, build_for_batch_size, plain_arrays
from kerasbatch.data.run_data import RunData
from kerasbatch.engine.device import computes_bfloat16
from kerasbatch.records.run_status import RunStatus
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access

SIZES = (1, 4, 16, 64, 256, 1024, 4096)
ROUNDS = 3
ROUND_SECONDS = 0.6
SHARE_OF_MEMORY = 0.8
"""Of the memory that is free, what a training may take; the rest is the system's."""
LEAST_SECONDS = 20.0
"""What a fresh process needs to begin and take two steps."""


@dataclass(frozen=True)
class Memory:
    """Peak memory of fresh processes.

    Args:
        peaks: MB by batch size, of those that were measured.
        largest: the largest batch size that fits in the machine, or None where it cannot be told;
            at most all examples.
        message: how that is known, in words.
    """

    peaks: Mapping[int, float]
    largest: int | None
    message: str


@dataclass(frozen=True)
class Speeds:
    """Seconds of a step, one for each round, by batch size.

    Args:
        engine: through the engine that would be used.
        plain: by plain `fit`.
        half: through the engine in mixed_bfloat16; empty where the device does not compute in it.
    """

    engine: Mapping[int, Sequence[float]]
    plain: Mapping[int, Sequence[float]]
    half: Mapping[int, Sequence[float]]


def sizes_for(n: int) -> list[int]:
    """Return the batch sizes to look at, of so many training examples."""
    return [size for size in SIZES if size <= n]


def measure_speeds(spec: Spec, access: Access, data: RunData, until: float) -> Iterator[Speeds]:
    """Time steps at every batch size, the engines in turn; yield what is known after each.

    Args:
        spec: a single-run spec.
        access: what it may reach.
        data: its data.
        until: when to begin no further size, by `time.monotonic`.
    """
    found: dict[str, dict[int, list[float]]] = {"engine": {}, "plain": {}, "half": {}}
    arrays = plain_arrays(data)
    for size in from_the_middle(sizes_for(len(data.x_train))):
        if time.monotonic() > until and len(found["engine"]) > 1:
            return
        timers = dict(_timers(spec, access, data, arrays, size))
        rounds = [{name: 1 / each.speed() for name, each in timers.items()} for _ in range(ROUNDS)]
        for name in timers:
            found[name][size] = [seconds[name] for seconds in rounds]
        yield Speeds(**{name: dict(seconds) for name, seconds in found.items()})


def _timers(
    spec: Spec, access: Access, data: RunData, arrays: tuple[Any, ...], size: int
) -> Iterator[tuple[str, FusedTimer | PlainTimer]]:
    """Yield what times steps at a batch size, by the fields of `Speeds`."""
    built = build_for_batch_size(spec, access, data, size)
    yield "engine", FusedTimer(built, data, size, spec, ROUND_SECONDS)
    built = build_for_batch_size(spec, access, data, size)
    yield "plain", PlainTimer(built, arrays, size, ROUND_SECONDS)
    if spec.precision == "float32" and computes_bfloat16():
        half = spec.model_copy(update={"precision": "mixed_bfloat16"})
        yield (
            "half",
            FusedTimer(
                build_for_batch_size(half, access, data, size), data, size, half, ROUND_SECONDS
            ),
        )


def from_the_middle(sizes: list[int]) -> list[int]:
    """Return sizes from the middle outward: where the best one is likely, first."""
    middle = (len(sizes) - 1) / 2
    return sorted(sizes, key=lambda size: abs(sizes.index(size) - middle))


def measure_memory(
    source: SpecSource, n: int, folder: Path, until: float, *, trust: bool
) -> Memory:
    """Measure peak memory in fresh processes, and predict the largest batch size that fits.

    What is predicted is tried once, in a process of its own: that may fail, and this one goes on.

    Args:
        source: a single-run spec.
        n: its training examples.
        folder: where runs are kept.
        until: when to begin no further size, by `time.monotonic`.
        trust: whether the spec may run Python code.
    """

    def peak(size: int) -> float | None:
        none: dict[str, Any] = {"target": None, "save": [], "record": [], "callbacks": []}
        one = spec_variant(source, name="memory", batch_size=size, steps=2, **none)
        left = max(LEAST_SECONDS, until - time.monotonic())
        result = runner.run(one, results=folder, rerun=True, timeout=left, trust=trust)
        found = result.row["peak_memory_mb"]
        return float(found) if result.status == RunStatus.DONE and found is not None else None

    sizes, peaks = sizes_for(n), dict[int, float]()
    for size in (sizes[0], sizes[-1], *sizes[-2:0:-1]):
        if size in peaks or (time.monotonic() > until and len(peaks) > 1):
            continue
        if (found := peak(size)) is not None:
            peaks[size] = found
    return _largest(dict(sorted(peaks.items())), n, peak)


def _largest(peaks: dict[int, float], n: int, peak: Callable[[int], float | None]) -> Memory:
    """Predict from the line through the peaks what fits, and try it."""
    if len(peaks) < 2:
        return Memory(peaks, None, "no two batch sizes could be measured")
    slope, base = np.polyfit(list(peaks), list(peaks.values()), 1)
    free = SHARE_OF_MEMORY * psutil.virtual_memory().available / 1e6
    predicted = n if slope <= 0 else int(min(n, max(0, (free - base) / slope)))
    if predicted < 1:
        return Memory(peaks, None, f"not even one example fits into {free:,.0f} MB")
    found = peaks.get(predicted) or peak(predicted)
    if found is None:
        told = f"{predicted:,} was predicted to fit into {free:,.0f} MB, and did not"
        return Memory(peaks, max(peaks), told)
    told = f"it took {found:,.0f} of {free:,.0f} MB when it was tried"
    return Memory({**peaks, predicted: found}, predicted, told)
