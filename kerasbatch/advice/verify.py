"""Verification of the advice: short tuned sweeps at the advised size and at its neighbours."""

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

NEIGHBOUR_FACTOR = 4
"""The factor between the advised size and its neighbours."""
RATE_FACTORS = (0.5, 1.0, 2.0)
"""Factors of the rule's learning rate, which is only a start for tuning."""
HELD = 1.5
"""The advice held if the advised size took at most this many times the best."""
MIN_RUN_SECONDS = 5.0
"""The least time limit of a run."""


@dataclass(frozen=True)
class Verification:
    """The result of the sweeps.

    Args:
        table: batch_size, learning_rate, seconds_to_target, measured_seconds and predicted_seconds;
            the last two in units of the best.
        held: whether the advised size was nearly the fastest, or None if no size reached the
            target.
        message: the result as text.
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
        predicted: the predicted relative time by batch size.
        n: the number of its training examples.
        folder: the folder for the runs.
        until: the time limit, by `time.monotonic`.
        trust: whether the spec may run Python code.

    Returns:
        The times at the sizes, measured and predicted, and the verdict.
    """
    sizes = sorted(
        {max(1, advised // NEIGHBOUR_FACTOR), advised, min(n, advised * NEIGHBOUR_FACTOR)}
    )
    rates = {size: rates_around(source.spec, n, size, RATE_FACTORS) for size in sizes}
    sweep = tuning_sweep(source, "verify", rates)
    jobs = resources.default_jobs()
    turns = math.ceil(len(sizes) * len(RATE_FACTORS) / jobs) + 1  # one for the start of the workers
    timeout = max(MIN_RUN_SECONDS, (until - time.monotonic()) / turns)
    runner.run_all(sweep, results=folder, jobs=jobs, rerun=True, timeout=timeout, trust=trust)
    table = compare(load(folder / "verify")).table.set_index("batch_size")
    seconds = {size: float(table["seconds_to_target"].get(size, math.nan)) for size in sizes}
    best_rates = {size: table["learning_rate"].get(size) for size in sizes}
    predictions = {size: predicted.get(size, math.nan) for size in sizes}
    return _verdict(advised, seconds, predictions, best_rates)


def _verdict(
    advised: int,
    seconds: Mapping[int, float],
    predicted: Mapping[int, float],
    rates: Mapping[int, object],
) -> Verification:
    sizes = list(seconds)
    reached = [value for value in seconds.values() if not math.isnan(value)]
    shortest = min(reached, default=math.nan)
    lowest = min((p for p in predicted.values() if not math.isnan(p)), default=math.nan)
    table = pd.DataFrame(
        {
            "batch_size": sizes,
            "learning_rate": [rates[size] for size in sizes],
            "seconds_to_target": [seconds[size] for size in sizes],
            "measured_seconds": [seconds[size] / shortest for size in sizes],
            "predicted_seconds": [predicted[size] / lowest for size in sizes],
        }
    )
    if math.isnan(seconds[advised]):
        message = f"batch size {advised:,} did not reach the target in the time that there was"
        return Verification(table, False if reached else None, message)
    ratio = seconds[advised] / shortest
    verdict = "the advice held" if ratio <= HELD else "the advice did not hold"
    return Verification(
        table, ratio <= HELD, f"{verdict}: batch size {advised:,} took {ratio:.2f} times the best"
    )
