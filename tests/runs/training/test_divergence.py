"""Divergence: one rule, at every step, in both engines, whatever the clock does."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from run_support import run_here
from small_specs import LINE

from kerasbatch.engine import divergence
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.runs.training.job import TrainingSettings

EXPLODING: dict[str, Any] = LINE | {
    "name": "exploding",
    "epochs": 400,
    "batch_size": 1,
    "optimizer": {"name": "sgd", "learning_rate": 0.85},
    "evaluate_every": {"epochs": 400},
    "record": ["steps"],
}


def _first_step_by_hand(losses: np.ndarray) -> int:
    """The rule of the design, counted by hand: 20 losses in a row above 1,000 times the first."""
    row = 0
    for step, loss in enumerate(losses, start=1):
        row = row + 1 if loss > 1000 * losses[0] else 0
        if row == 20 or not np.isfinite(loss):
            return step
    raise AssertionError("these losses do not diverge")


def test_both_engines_stop_at_the_step_that_the_rule_says(tmp_path: Path) -> None:
    """With blocks of any length: a rule that looks at their ends would depend on the clock."""
    stopped = set()
    for number, (engine, seconds) in enumerate([("fused", 0.2), ("fused", 0.0), ("keras", 0.2)]):
        settings = TrainingSettings(EngineSettings(block_seconds=seconds))
        (result,) = run_here(EXPLODING | {"engine": engine}, tmp_path / str(number), settings)
        assert result.status == "diverged"
        stopped.add(result.row["observed_steps"])
        losses = pd.read_csv(result.directory / "steps_loss.csv")["loss"].to_numpy()
        assert _first_step_by_hand(losses) == len(losses) == result.row["observed_steps"]
        assert f"at step {len(losses):,} of" in result.message
    assert len(stopped) == 1


@pytest.mark.parametrize(
    ("losses", "goes_on"),
    [
        ([1.0] + [1001.0] * 19, True),
        ([1.0] + [1001.0] * 20, False),
        ([1.0, *[1001.0] * 19, 999.0, *[1001.0] * 19], True),
        ([1.0, float("nan")], False),
        ([1.0, float("inf")], False),
        ([0.0] + [5.0] * 30, True),
        ([-1.0] + [1001.0] * 20, False),
    ],
)
def test_the_rule(losses: list[float], goes_on: bool) -> None:
    """Twenty in a row; a first loss of 0 says nothing of scale."""
    state, traced = divergence.INITIAL, tuple(map(tf.constant, divergence.INITIAL))
    for loss in losses:
        state = divergence.next_state(state, loss, divergence.select)
        traced = divergence.next_state(traced, tf.constant(loss), tf.where)
    assert bool(divergence.may_continue(state, losses[-1])) is goes_on
    assert bool(divergence.may_continue(traced, tf.constant(losses[-1]))) is goes_on
