"""A learning rate that grows from 0, and falls to the end of the budget, step by step."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_support import numbers, run, run_here
from small_specs import LINE

import kerasbatch as kb
from kerasbatch.data import builtin
from kerasbatch.spec import reader

RATE, STEPS = 0.05, 8
WARM = LINE | {"learning_rate_rule": {"warmup": {"steps": STEPS}}, "seed": 4}


def _by_hand() -> np.ndarray:
    """The notes' updates over our order, the step after i others with RATE * min(1, i / STEPS)."""
    arrays, theta, path = builtin.load_builtin("line", examples=24), np.zeros(2), [np.zeros(2)]
    for epoch in (1, 2, 3):
        order = kb.example_order(24, seed=4, epoch=epoch)
        for start in range(0, 24, 5):
            x = arrays.x[order[start : start + 5], 0].astype(float)
            error = theta[0] + theta[1] * x - arrays.y[order[start : start + 5]]
            rate = RATE * min(1.0, (len(path) - 1) / STEPS)
            theta = theta - rate * np.array([error.mean(), (error * x).mean()])
            path.append(theta)
    return np.array(path)


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_every_step_has_its_rate(tmp_path: Path, engine: str) -> None:
    """In both engines; the first step changes nothing, and the history shows the rate."""
    result = run(WARM | {"engine": engine}, tmp_path)
    weights = pd.read_csv(result.directory / "weights.csv")
    found = np.column_stack([weights.filter(like=name) for name in ("bias", "kernel")])
    np.testing.assert_allclose(found, _by_hand(), atol=1e-5)
    assert (found[1] == found[0]).all()
    rates = [RATE * min(1.0, step / STEPS) for step in range(16)]
    np.testing.assert_allclose(result.history["learning_rate"], rates, rtol=1e-6)
    assert result.row["learning_rate"] == RATE


def test_warm_ups_of_any_length_share_a_program(tmp_path: Path) -> None:
    """Rate and length are variables: a used model gives the numbers of a fresh one."""
    grid = {
        "learning_rate_rule.warmup.steps": [8, 3],
        "optimizer.learning_rate": [0.05, 0.02],
    }
    used = run_here(WARM | {"sweep": grid}, tmp_path)
    last = {"learning_rate_rule": {"warmup": {"steps": 3}}}
    optimizer = {"name": "sgd", "learning_rate": 0.02}
    fresh = run(WARM | last | {"optimizer": optimizer}, tmp_path / "fresh")
    pd.testing.assert_frame_equal(numbers(used[-1]), numbers(fresh), check_exact=True)


def test_epochs_are_steps_of_each_batch_size(tmp_path: Path) -> None:
    """One epoch of batches of 5 and of 12."""
    for size, steps in ((5, 5), (12, 2)):
        spec = WARM | {"batch_size": size, "learning_rate_rule": {"warmup": {"epochs": 1}}}
        history = run(spec, tmp_path / str(size)).history
        reached = history["step"][np.isclose(history["learning_rate"], RATE)]
        assert reached.iloc[0] == steps


@pytest.mark.parametrize("engine", ["fused", "keras"])
@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_a_decay_ends_with_the_budget_of_each_size(tmp_path: Path, engine: str, decay: str) -> None:
    """After a warm-up of a fifth of the steps, down to a tenth of the top."""
    rule = {"warmup": {"fraction": 0.2}, "decay": decay, "final": 0.1}
    grid = {"batch_size": [5, 12], "optimizer.learning_rate": {"times": [1, 2]}}
    spec = LINE | {"learning_rate_rule": rule, "engine": engine, "sweep": grid, "record": []}
    for result in run_here(spec, tmp_path):
        steps, top = result.row["planned_steps"], RATE * result.swept["learning_rate_rule.times"]
        warm = round(0.2 * steps)
        expected = [_rate(step, steps, warm, decay) * top for step in result.history["step"]]
        np.testing.assert_allclose(result.history["learning_rate"], expected, rtol=1e-5, atol=1e-7)
        assert result.history["learning_rate"].iloc[-1] == pytest.approx(0.1 * top)


def _rate(step: int, steps: int, warm: int, decay: str) -> float:
    if step < warm:
        return step / warm
    done = (step - warm) / (steps - warm)
    left = (1 + np.cos(np.pi * done)) / 2 if decay == "cosine" else 1 - done
    return float(0.1 + 0.9 * left)


def test_a_schedule_that_does_not_fit_the_budget_is_noticed(tmp_path: Path) -> None:
    """With what to write instead; none where it fits."""
    for steps, count in ((90, 1), (15, 0)):
        schedule = {"name": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": steps}
        spec = LINE | {"optimizer": {"name": "sgd", "learning_rate": schedule}, "record": []}
        watcher = _Notices()
        kb.run(spec, results=tmp_path / str(steps), watcher=watcher)
        assert sum("learning_rate_rule: {decay: cosine}" in text for text in watcher.texts) == count


class _Notices(kb.Watcher):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def notice(self, message: str) -> None:
        self.texts.append(message)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"learning_rate_rule": {"warmup": {}}}, "must have one of epochs, steps and fraction"),
        ({"learning_rate_rule": {"warmup": {"epochs": 1, "steps": 2}}}, "must have one of epochs"),
        ({"learning_rate_rule": {"warmup": {"epochs": 0}}}, "must be a whole number"),
        (
            {
                "learning_rate_rule": {"warmup": {"epochs": 1}},
                "optimizer": {
                    "name": "sgd",
                    "learning_rate": {
                        "name": "ExponentialDecay",
                        "initial_learning_rate": 0.1,
                        "decay_steps": 5,
                        "decay_rate": 0.9,
                    },
                },
            },
            "a schedule says the rate of every step",
        ),
    ],
)
def test_what_is_no_warm_up(keys: dict[str, Any], message: str) -> None:
    """Each with what to write instead."""
    with pytest.raises(kb.SpecError, match=message):
        reader.spec_from_dict(LINE | keys)


def test_one_that_is_longer_than_the_run_is_said(tmp_path: Path) -> None:
    """The run goes on, and never has its whole rate."""
    heard: list[str] = []

    class Listener(kb.Watcher):
        def notice(self, message: str) -> None:
            heard.append(message)

    rule = {"learning_rate_rule": {"warmup": {"steps": 100}}}
    run(LINE | rule, tmp_path, watcher=Listener())
    assert any("the warm-up takes 100 steps, of 15 that there are" in told for told in heard)
