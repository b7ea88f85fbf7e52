"""The advice put to the test: short tuned sweeps at the advised size and at its neighbours."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import kerasbatch.runs.runner as runner
from kerasbatch.advice.spec_variants import rates_around, tuning_sweep
from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.loading.load import load
from kerasbatch.runs.executors import resources
from kerasbatch.spec.reader import SpecSource

NEIGHBOUR = 4
TIMES = (0.5, 1.0, 2.0)
"""What the rate by the rule is multiplied by: the rule is a start, and no result."""
HELD = 1.5
"""The advice held where the advised size took at most this many times the best."""
LEAST_SECONDS = 5.0


@dataclass(frozen=True)
class Verification:
    """What the sweeps said.

    Args:
        table: batch_size, learning_rate, seconds_to_target, measured_seconds and predicted_seconds;
            the last two in units of the best.
        held: whether the advised size was nearly the fastest, or None where that cannot be told.
        message: the same in words.
    """

    table: pd.DataFrame
    held: bool | None
    message: str


def verify_advice(
    source: SpecSource,
    advised: int,
    predicted: Mapping[int, float],
    n: int,
    folder: Path,
    until: float,
    *,
    trust: bool,
) -> Verification:
    """Train to the target at the advised size and at neighbours, each with three learning rates.

    Args:
        source: a single-run spec with a target.
        advised: the advised batch size.
        predicted: relative time by batch size.
        n: its training examples.
        folder: where runs are kept.
        until: when all must be done, by `time.monotonic`.
        trust: whether the spec may run Python code.
    """
    sizes = sorted({max(1, advised // NEIGHBOUR), advised, min(n, advised * NEIGHBOUR)})
    rates = {size: rates_around(source.spec, n, size, TIMES) for size in sizes}
    made = tuning_sweep(source, "verify", rates)
    jobs = resources.default_jobs()
    turns = math.ceil(len(sizes) * len(TIMES) / jobs) + 1  # one for the workers to begin
    each = max(LEAST_SECONDS, (until - time.monotonic()) / turns)
    runner.run_all(made, results=folder, jobs=jobs, rerun=True, timeout=each, trust=trust)
    found = compare(load(folder / "verify")).table.set_index("batch_size")
    taken = {size: float(found["seconds_to_target"].get(size, math.nan)) for size in sizes}
    chosen = {size: found["learning_rate"].get(size) for size in sizes}
    known = {size: predicted.get(size, math.nan) for size in sizes}
    return _verdict(advised, taken, known, chosen)


def _verdict(
    advised: int,
    taken: Mapping[int, float],
    predicted: Mapping[int, float],
    rates: Mapping[int, object],
) -> Verification:
    sizes = list(taken)
    known = [value for value in taken.values() if not math.isnan(value)]
    least = min(known, default=math.nan)
    lowest = min((p for p in predicted.values() if not math.isnan(p)), default=math.nan)
    table = pd.DataFrame(
        {
            "batch_size": sizes,
            "learning_rate": [rates[size] for size in sizes],
            "seconds_to_target": [taken[size] for size in sizes],
            "measured_seconds": [taken[size] / least for size in sizes],
            "predicted_seconds": [predicted[size] / lowest for size in sizes],
        }
    )
    if math.isnan(taken[advised]):
        told = f"batch size {advised:,} did not reach the target in the time that there was"
        return Verification(table, False if known else None, told)
    ratio = taken[advised] / least
    told = "the advice held" if ratio <= HELD else "the advice did not hold"
    return Verification(
        table, ratio <= HELD, f"{told}: batch size {advised:,} took {ratio:.2f} times the best"
    )
