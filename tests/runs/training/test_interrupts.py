"""What an interrupted run says of itself."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from run_support import run, run_here

import kerasbatch as kb
from kerasbatch.runs.training.job import TrainingSettings


class Impatient(kb.Watcher):
    """Interrupts at the first progress, long before the first evaluation."""

    def progress(self, *_: Any) -> None:
        raise KeyboardInterrupt


LONG = {"epochs": 9000, "evaluate_every": {"epochs": 9000}}


def test_the_weights_at_the_stop_are_measured(small: dict[str, Any], tmp_path: Path) -> None:
    """Where an evaluation is quick; never the untrained model's numbers."""
    result = run(small | LONG, tmp_path, watcher=Impatient())
    assert result.status == "interrupted"
    history = result.history
    assert history["step"].tolist() == [0, result.row["observed_steps"]]
    # Older versions of pandas round the last digit when they read.
    assert result.row["val_loss"] == pytest.approx(history["val_loss"].iloc[1], rel=1e-12)
    assert result.row["best_val_loss"] == result.row["val_loss"]
    assert history["val_loss"].iloc[1] != history["val_loss"].iloc[0]


def test_else_its_cells_are_empty(small: dict[str, Any], tmp_path: Path) -> None:
    """Where an evaluation would take long."""
    settings = TrainingSettings(quick_evaluation=-1.0)
    (result,) = run_here(small | LONG, tmp_path, settings, Impatient())
    assert result.row["observed_steps"] > 0
    assert not {"val_loss", "best_val_loss"} & result.row.keys()
    assert result.history["step"].tolist() == [0]
    (row,) = pd.read_csv(tmp_path / "experiment" / "runs.csv").to_dict("records")
    assert row["status"] == "interrupted"
    assert "val_loss" not in row
