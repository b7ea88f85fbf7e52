"""Giving up a setting changes no choice: on made-up grids, and on whole grids of real trainings."""

import statistics
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from grid_support import Grid, write_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from search_support import Trained, searched

import kerasbatch as kb

STUDIES = ("digits_batch_sizes", "mnist_batch_sizes", "shallue_fig3")

RATES = [0.1, 0.2, 0.4, 0.8]


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from([1, 2, 3, 4]))
def test_a_cap_changes_no_choice(data: st.DataObject, count: int) -> None:
    """Whatever the seeds took, missed or diverged: the best whole setting is the same."""
    ends = st.one_of(st.integers(1, 40), st.just(float("inf")), st.just(float("nan")))
    pairs = [(rate, seed) for rate in RATES for seed in range(count)]
    steps = {pair: 10.0 * data.draw(ends) for pair in pairs}

    def steps_of(spec: Any) -> float:
        return steps[spec.optimizer.arguments["learning_rate"], spec.seed]

    sweep = {"optimizer.learning_rate": RATES, "seed": list(range(count))}
    capped, whole = Trained(steps_of), Trained(steps_of)
    searched(sweep, capped)
    searched(sweep, whole, cap=False)
    assert _choice(capped, count) == _choice(whole, count)
    assert len(whole.records) == len(RATES) * count
    assert capped.steps <= whole.steps


def _choice(trained: Trained, count: int) -> Any:
    """Return the best setting with all its seeds, by the rule in words of its own."""
    found = []
    for rate in RATES:
        ends = [trained.records.get((32, rate, seed)) for seed in range(count)]
        if any(end is None or end[0]["status"] == "capped" for end in ends):
            continue
        reached = [e[0]["row"]["observed_steps"] for e in ends if e and e[0]["status"] == "target"]
        if reached:
            found.append((-len(reached) / count, statistics.median(reached), rate, sorted(reached)))
    return min(found, default=None)


@pytest.mark.parametrize("name", STUDIES)
def test_three_studies_have_the_same_answer(name: str, tmp_path: Path) -> None:
    """Table, best and caveats, of whole grids and of the same grids with settings given up."""
    grid = Grid(name)
    whole, _ = write_grid(grid, tmp_path / "whole", capped=False)
    capped, saved = write_grid(grid, tmp_path / "capped", capped=True)
    before, after = kb.compare(whole), kb.compare(capped)
    pd.testing.assert_frame_equal(
        before.table.drop(columns="runs"), after.table.drop(columns="runs")
    )
    assert (before.best, before.recommendation) == (after.best, after.recommendation)
    shown = [[(c.code, c.message, c.rows) for c in found.caveats] for found in (before, after)]
    assert shown[0] == shown[1]
    assert saved > 1.3
