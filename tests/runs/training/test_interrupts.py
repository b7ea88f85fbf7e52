"""What an interrupted run says of itself."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from run_support import run, run_here

import kerasbatch as kb
from kerasbatch.runs.training.job import TrainingSettings
from kerasbatch.types import Progress


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


class Late(kb.Watcher):
    """Interrupts after some steps."""

    def __init__(self, step: int) -> None:
        self._step = step

    def progress(self, _: Any, progress: Progress) -> None:
        if progress.step >= self._step:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_run_keeps_its_models_until_the_next_one_has_ended(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """A second interrupt, earlier in the training, does not replace them; a finished run does."""
    spec = small | {"epochs": 9000, "evaluate_every": {"epochs": 100}, "save": ["last", "best"]}
    first = run(spec, tmp_path, watcher=Late(9000))
    content = (first.directory / "best.keras").read_bytes()
    assert (first.status, (first.directory / "model.keras").exists()) == ("interrupted", True)

    class Looks(Late):
        def start(self, _: kb.RunInfo) -> None:
            assert (first.directory / "best.keras").read_bytes() == content

    second = run(spec, tmp_path, watcher=Looks(1))
    assert second.status == "interrupted"
    assert second.row["observed_steps"] < first.row["observed_steps"]
    assert (first.directory / "best.keras").read_bytes() == content
    (row,) = pd.read_csv(tmp_path / "experiment" / "runs.csv").to_dict("records")
    assert row["observed_steps"] == first.row["observed_steps"]
    third = run(spec, tmp_path)
    assert (third.status, third.directory) == ("done", first.directory)
    assert (first.directory / "best.keras").read_bytes() != content
    assert [path.name for path in (tmp_path / "experiment").glob(".*-*")] == []


class CancelledError(BaseException):
    """As asyncio's: no Exception."""


def test_any_exception_leaves_a_record(small: dict[str, Any], tmp_path: Path) -> None:
    """Also one that is no Exception."""

    class Cancels(kb.Watcher):
        def progress(self, *_: Any) -> None:
            raise CancelledError

    result = run(small | LONG, tmp_path, watcher=Cancels())
    assert (result.status, result.row["step_check"]) == ("failed", "ended_early: failed")
    assert result.message.startswith("CancelledError")
