"""The range of the time of a sweep."""

from types import SimpleNamespace
from typing import Any

import pytest

from kerasbatch import plan
from kerasbatch.benchmark.sweep_estimate import (
    LONGEST,
    LONGEST_OF_SEVERAL,
    SHORTEST,
    ProgramTiming,
    total_seconds,
)


def timing(speeds: tuple[float, ...], steps: int, runs: int) -> ProgramTiming:
    """A program with one evaluation, at the end of its runs."""
    every = SimpleNamespace(kind="epochs", amount=1)
    run: Any = SimpleNamespace(
        plan=plan(steps, batch_size=1, epochs=1),
        single=SimpleNamespace(spec=SimpleNamespace(evaluate_every=every)),
    )
    return ProgramTiming((run,) * runs, speeds, 0.5, 3.0, 0.25, "fused")


def test_one_worker_takes_the_sum() -> None:
    """Start, compilation, and for each run: model, steps, evaluations before and at the end."""
    shortest, longest = total_seconds([timing((50.0, 100.0), 1000, 2)], 1, 4.0)
    assert shortest == pytest.approx(SHORTEST * (4 + 3 + 2 * (0.5 + 10 + 2 * 0.25)))
    assert longest == pytest.approx(2.5 * 4 + LONGEST * (3 + 2 * (0.5 + 20 + 2 * 0.25)))


def test_workers_share_the_runs() -> None:
    """Two workers: the longest works first, each to the worker that is free first."""
    timings = [timing((100.0,), 1000, 1), timing((100.0,), 200, 3)]
    shortest, longest = total_seconds(timings, 2, 4.0)
    first, second = 0.5 + 10 + 0.5 + 3, 3 * (0.5 + 2 + 0.5) + 3
    assert shortest == pytest.approx(SHORTEST * (4 + max(first, second)))
    assert longest == pytest.approx(2.5 * 4 + LONGEST_OF_SEVERAL * max(first, second))
