"""What a run writes, and where nothing is written."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from run_support import numbers, run

import kerasbatch as kb
from kerasbatch.records.run_row import RUN_COLUMNS


def test_a_run_writes_what_it_promises(small: dict[str, Any], tmp_path: Path) -> None:
    """Files, columns, and totals that agree with each other."""
    result = run(small | {"name": "flowers"}, tmp_path)
    assert (result.status, result.row["step_check"]) == ("done", "ok")
    assert result.directory.parent == tmp_path / "flowers"
    assert sorted(p.name for p in result.directory.iterdir()) == [
        "history.csv",
        "record.json",
        "spec.yaml",
        "steps.csv",
    ]
    header = "epoch,step,examples,seconds,learning_rate,loss,accuracy,val_loss,val_accuracy"
    lines = (result.directory / "history.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == header
    assert lines[1].split(",")[:7] == ["0", "0", "0", "0.0", "0.1", "", ""]
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2"]
    assert result.steps["observed_steps"].tolist() == [8, 8]
    runs = pd.read_csv(tmp_path / "flowers" / "runs.csv")
    assert runs.columns.tolist()[: len(RUN_COLUMNS)] == list(RUN_COLUMNS)
    (row,) = runs.to_dict("records")
    assert (row["planned_steps"], row["observed_steps"], row["document_steps"]) == (16, 16, 15.0)
    assert row["best_val_loss"] == result.history["val_loss"].min()
    assert row["best_val_accuracy"] == result.history["val_accuracy"].max()
    assert row["val_loss"] == result.history["val_loss"].iloc[-1]


def test_the_resolved_spec_runs_again(small: dict[str, Any], tmp_path: Path) -> None:
    """spec.yaml of a run gives the same run."""
    first = run(small, tmp_path)
    again = kb.run(first.directory / "spec.yaml", results=tmp_path / "other")
    assert again.directory.name == first.directory.name
    pd.testing.assert_frame_equal(numbers(first), numbers(again), check_exact=True)


def test_a_directory_in_use_is_named(small: dict[str, Any], tmp_path: Path) -> None:
    """One process at a time owns an experiment."""
    from kerasbatch.records.experiment import Experiment

    with (
        Experiment(tmp_path / "experiment").locked(),
        pytest.raises(kb.DirectoryInUseError, match=r"in use by another process \(pid \d+\)"),
    ):
        run(small, tmp_path)


def test_results_that_cannot_be_written_are_said_before_training(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """A file stands where the directory should be."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(kb.SpecError, match="cannot be written: Not a directory"):
        run(small, tmp_path / "file")


def test_a_torn_record_is_no_finished_run(small: dict[str, Any], tmp_path: Path) -> None:
    """It is trained again, and disturbs no other run."""
    first = run(small, tmp_path)
    (first.directory / "record.json").write_text('{"format": 1, "sta', encoding="utf-8")
    assert not run(small | {"seed": 2}, tmp_path).reused
    assert not run(small, tmp_path).reused


def test_faults_that_only_keras_sees_leave_no_directory(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Nothing is trained, no directory is made."""
    for wrong in (
        {"model": {"layers": [{"Dense": {"units": -1}}]}},
        {"model": "cnn"},
        {"batch_size": 121},
        {"model": "mlp", "record": ["weights"], "data": "digits"},
    ):
        with pytest.raises(kb.SpecError):
            run(small | wrong, tmp_path)
    assert list(tmp_path.iterdir()) == []
