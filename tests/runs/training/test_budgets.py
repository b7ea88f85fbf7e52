"""Budgets, evaluations, batches that are dropped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_support import run

import kerasbatch as kb


def test_the_running_loss_is_not_disturbed_by_evaluations(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Evaluating after every step leaves the epoch's mean as it is without."""
    often = run(small | {"evaluate_every": {"steps": 1}}, tmp_path)
    seldom = run(small | {"name": "seldom"}, tmp_path)
    at_epochs = often.history[often.history["step"].isin([8, 16])]
    assert at_epochs["loss"].tolist() == seldom.history["loss"].tolist()[1:]
    assert len(often.history) == 17
    assert often.history["epoch"].iloc[1] == pytest.approx(16 / 120)


def test_without_validation_the_training_data_are_measured(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """train_loss at fixed weights takes the place of val_loss."""
    result = run(small | {"validation": "none"}, tmp_path)
    assert "train_accuracy" in result.history
    assert not any(column.startswith("val_") for column in result.history)
    assert result.row["train_examples"] == 150


@pytest.mark.parametrize(
    ("budget", "steps", "last"), [({"steps": 11}, 11, 3), ({"examples": 121}, 9, 1)]
)
def test_budgets_that_end_inside_an_epoch(
    small: dict[str, Any], tmp_path: Path, budget: dict[str, int], steps: int, last: int
) -> None:
    """The run takes exactly the planned steps and is ok."""
    del small["epochs"]
    result = run(small | budget, tmp_path)
    assert (result.row["observed_steps"], result.row["step_check"]) == (steps, "ok")
    assert result.steps["check"].tolist() == ["ok", "ended_early: budget"]
    assert result.steps["observed_steps"].tolist() == [8, last]


def test_dropping_the_partial_batch(small: dict[str, Any], tmp_path: Path) -> None:
    """120 examples at 16: 7 steps, 112 examples."""
    result = run(small | {"partial_batch": "drop"}, tmp_path)
    assert result.row["step_check"] == "ok"
    assert result.steps["observed_examples"].tolist() == [112, 112]


def test_the_test_part_is_measured_once_at_the_end(tmp_path: Path) -> None:
    """Where validation was taken from the training data and the data have a test part."""
    random = np.random.RandomState(0)
    x, y = random.normal(size=(40, 3)), random.randint(0, 3, 40)
    np.savez(tmp_path / "t.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    (tmp_path / "s.yaml").write_text(
        "data: {npz: t.npz}\nmodel: mlp\noptimizer: {name: adamw, use_ema: true}\n"
        "loss: sparse_categorical_crossentropy\nmetrics: [accuracy]\nepochs: 2\nbatch_size: 8\n"
        "validation: {examples: 10}\n",
        encoding="utf-8",
    )
    result = kb.run(tmp_path / "s.yaml", results=tmp_path)
    assert result.row["train_examples"] == 30
    assert {"test_loss", "test_accuracy", "val_loss"} <= set(result.row)
    assert "test_loss" not in result.history
    with_test = (tmp_path / "s.yaml").read_text(encoding="utf-8").replace("{examples: 10}", "test")
    (tmp_path / "s.yaml").write_text(with_test, encoding="utf-8")
    assert "test_loss" not in kb.run(tmp_path / "s.yaml", results=tmp_path).row


def test_what_accumulates_is_said(small: dict[str, Any], tmp_path: Path) -> None:
    """A step is a batch there, and the weights change at every fourth."""

    class Listener(kb.Watcher):
        heard = ""

        def notice(self, message: str) -> None:
            self.heard += message

    optimizer = {"name": "sgd", "gradient_accumulation_steps": 4}
    listener = Listener()
    result = run(small | {"optimizer": optimizer}, tmp_path, watcher=listener)
    assert (result.row["observed_steps"], result.row["step_check"]) == (16, "ok")
    assert "changes the weights at every 4th" in listener.heard


def test_learning_rate_rules_reach_the_optimizer(small: dict[str, Any], tmp_path: Path) -> None:
    """Linear from base 32: half the rate at batch 16, in history and runs.csv."""
    result = run(small | {"learning_rate_rule": {"rule": "linear"}}, tmp_path)
    assert result.row["learning_rate"] == pytest.approx(0.05)
    assert result.row["base_learning_rate"] == 0.1
    assert result.history["learning_rate"].tolist() == pytest.approx([0.05] * 3)
