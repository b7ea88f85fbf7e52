"""Verification of the advice: short tuned sweeps at the advised size and at its neighbours."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

import kerasbatch.runs.runner as runner
from kerasbatch.advice.spec_variants import tuning_sweep
from kerasbatch.analysis.comparison.caveats.rate_edges import sizes_at_edge
from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.loading.load import load
from kerasbatch.runs.executors import resources
from kerasbatch.spec.reader import SpecSource

NEIGHBOUR_FACTOR = 4
"""The factor between the advised size and its neighbours."""
MAX_RATES = 2
"""The learning rates that a search tries beyond the first three, on each side."""
MOST_RATES, ROUNDS = 9, 5
"""The most learning rates of such a search, and its rounds with one seed if it goes one way."""
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
        learning_rate: the best rate at the advised size, or None if it did not reach the target.
    """

    table: pd.DataFrame
    held: bool | None
    message: str
    learning_rate: float | None = None


def verify_advice(
    source: SpecSource,
    advised: int,
    predicted: Mapping[int, float],
    n: int,
    grid: Mapping[int, Sequence[float]],
    folder: Path,
    until: float,
    *,
    trust: bool,
) -> Verification:
    """Train to the target at the advised size and at neighbours, each with its learning rates.

    Args:
        source: a single-run spec with a target.
        advised: the advised batch size.
        predicted: the predicted relative time by batch size.
        n: the number of its training examples.
        grid: the learning rates to try by batch size; without those of all sizes, they are
            searched.
        folder: the folder for the runs.
        until: the time limit, by `time.monotonic`.
        trust: whether the spec may run Python code.

    Returns:
        The times at the sizes, measured and predicted, and the verdict.
    """
    sizes = _neighbours(advised, n, sorted(predicted))
    sweep = tuning_sweep(source, "verify", sizes, grid, at_most=MAX_RATES)
    jobs = resources.default_jobs()
    rates = [len(grid[size]) for size in sizes if grid.get(size)]
    is_search = len(rates) < len(sizes)
    runs = MOST_RATES * len(sizes) if is_search else sum(rates)
    # Rounds of a search follow each other; one more turn is for the start of the workers.
    turns = max(math.ceil(runs / jobs), ROUNDS if is_search else 1) + 1
    timeout = max(MIN_RUN_SECONDS, (until - time.monotonic()) / turns)
    runner.run_all(sweep, results=folder, jobs=jobs, rerun=True, timeout=timeout, trust=trust)
    comparison = compare(load(folder / "verify"))
    table = comparison.table.set_index("batch_size")
    seconds = {size: float(table["seconds_to_target"].get(size, math.nan)) for size in sizes}
    best_rates = {size: table["learning_rate"].get(size) for size in sizes}
    predictions = {size: predicted.get(size, math.nan) for size in sizes}
    verdict = _verdict(advised, seconds, predictions, best_rates)
    edges = sizes_at_edge(comparison.table, comparison.caveats)
    at_edge = [size for size in edges if not math.isnan(seconds[size])]
    return replace(verdict, message=f"{verdict.message}{_edge_note(at_edge)}")


def _neighbours(advised: int, n: int, timed: Sequence[int]) -> list[int]:
    """Return the advised size, and its neighbours about a factor of 4 away among the timed ones."""
    wanted = (max(1, advised // NEIGHBOUR_FACTOR), min(n, advised * NEIGHBOUR_FACTOR))
    smaller = [size for size in timed if size < advised]
    larger = [size for size in timed if size > advised]
    below = min(smaller, key=lambda b: abs(math.log(b / wanted[0])), default=wanted[0])
    above = min(larger, key=lambda b: abs(math.log(b / wanted[1])), default=wanted[1])
    return sorted({below, advised, above})


def _edge_note(sizes: Sequence[int]) -> str:
    if not sizes:
        return ""
    listing = ", ".join(f"{size:,}" for size in sizes)
    return (
        f"; at {listing} the best learning rate lies at the edge of those that were tried: a "
        "better one may lie beyond, and change the order"
    )


def _verdict(
    advised: int,
    seconds: Mapping[int, float],
    predicted: Mapping[int, float],
    rates: Mapping[int, Any],
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
    ratio, rate = seconds[advised] / shortest, rates[advised]
    verdict = "the advice held" if ratio <= HELD else "the advice did not hold"
    message = f"{verdict}: batch size {advised:,} took {ratio:.2f} times the best"
    is_rate = isinstance(rate, float) and not math.isnan(rate)
    return Verification(table, ratio <= HELD, message, float(rate) if is_rate else None)
