"""How a run ends: targets, divergence, interrupts, failures."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from run_support import run, run_here
from small_specs import LINE

import kerasbatch as kb
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow.program import TensorFlowProgram
from kerasbatch.runs.training.job import TrainingSettings


def test_a_target_ends_the_run(small: dict[str, Any], tmp_path: Path) -> None:
    """At the first evaluation that passes it; the step check says why it is short."""
    target = {"metric": "val_accuracy", "at_least": 0.5, "stop": True}
    result = run(small | {"target": target, "epochs": 50}, tmp_path)
    assert result.status == "target"
    assert result.row["step_check"] == "ended_early: target_reached"
    assert result.history["val_accuracy"].iloc[-1] >= 0.5
    assert (result.history["val_accuracy"].iloc[:-1] < 0.5).all()


def test_a_target_that_the_untrained_model_meets(small: dict[str, Any], tmp_path: Path) -> None:
    """Training decides: the run ends at its first evaluation, which is recorded."""
    target = {"metric": "val_loss", "at_most": 1e9, "stop": True}
    result = run(small | {"target": target}, tmp_path)
    assert (result.status, result.row["observed_steps"]) == ("target", 8)
    assert result.history["step"].tolist() == [0, 8]


@pytest.mark.parametrize(
    ("rate", "epochs"), [(1e30, 3), (3.0, 40)], ids=["not finite", "far above the start"]
)
def test_divergence_is_a_status(tmp_path: Path, rate: float, epochs: int) -> None:
    """With epoch and step; the rows until then are kept, the last one shows it."""
    spec = LINE | {"epochs": epochs, "optimizer": {"name": "sgd", "learning_rate": rate}}
    result = run(spec | {"record": [], "evaluate_every": {"epochs": 1}}, tmp_path)
    assert result.status == "diverged"
    assert "in epoch" in result.message
    assert result.row["step_check"] == "ended_early: diverged"
    last = float(result.history["loss"].iloc[-1])
    assert not math.isfinite(last) or last > 1000 * result.history["train_loss"].iloc[0]


def test_a_loss_that_explodes_in_the_last_step(tmp_path: Path) -> None:
    """The running loss is from before the update; the evaluation after it shows the truth."""
    spec = LINE | {"epochs": 1, "batch_size": "full", "record": []}
    result = run(spec | {"optimizer": {"name": "sgd", "learning_rate": 1e25}}, tmp_path)
    assert result.status == "diverged"
    text = (result.directory / "record.json").read_text(encoding="utf-8")
    record = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
    assert record["row"]["train_loss"] == "inf"


def test_an_interrupted_run_keeps_its_rows_and_is_taken_up(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Ctrl-C ends in a status; the same command trains it again."""

    class Impatient(kb.Watcher):
        def progress(self, *_: Any) -> None:
            raise KeyboardInterrupt

    long = small | {"epochs": 3000}
    result = run(long, tmp_path, watcher=Impatient())
    assert result.status == "interrupted"
    assert result.row["step_check"] == "ended_early: interrupted"
    assert 0 < result.row["observed_steps"] < 24_000
    assert len(result.history) > 0
    assert not run(small | {"epochs": 1}, tmp_path).reused


def test_a_failing_training_is_a_status(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is for people, the traceback is in the record."""
    from kerasbatch.engine.training.plain import PlainTraining

    def broken(*_: Any) -> None:
        raise RuntimeError("the cat sat on the keyboard")

    monkeypatch.setattr(PlainTraining, "fit", broken)
    result = run(small | {"engine": "keras"}, tmp_path)
    assert result.status == "failed"
    place = "test_statuses.py:" + str(broken.__code__.co_firstlineno + 1)
    assert result.message == f"RuntimeError: the cat sat on the keyboard ({place})"
    record = json.loads((result.directory / "record.json").read_text(encoding="utf-8"))
    assert "Traceback" in record["error"]
    assert record["row"]["train_seconds"] is None


def test_fused_where_it_cannot_work_says_why_and_what_to_use(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Where `auto` would fall back, and say so."""
    settings = TrainingSettings(EngineSettings(memory_share=0.0))
    (failed,) = run_here(small | {"engine": "fused"}, tmp_path, settings)
    assert failed.status == "failed"
    assert failed.message.startswith("the fused engine cannot work here: the data take 0.0 GB")
    assert failed.message.endswith("use engine auto or keras")
    (fallen_back,) = run_here(small, tmp_path, settings)
    assert (fallen_back.status, fallen_back.row["engine"]) == ("done", "keras")
    assert "the data take 0.0 GB, more than 0% of" in fallen_back.record["engine"]["why"]


def test_losses_that_an_interrupt_took_are_counted(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt may fall between a block and the reading of its losses."""
    take, blocks = TensorFlowProgram.take, iter(range(100))

    def interrupted(self: TensorFlowProgram, *arguments: Any, **options: Any) -> Any:
        done = take(self, *arguments, **options)
        if next(blocks) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(TensorFlowProgram, "take", interrupted)
    result = run(small | {"batch_size": 1, "record": ["steps"]}, tmp_path)
    kept = len(pd.read_csv(result.directory / "steps_loss.csv"))
    lost = result.row["observed_steps"] - kept
    assert lost > 0
    assert result.message.endswith(f"; the losses of the last {lost} were not read in time")
