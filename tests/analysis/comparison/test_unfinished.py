"""Runs that go on, or were killed: shown as unfinished, apart from the answer."""

from pathlib import Path
from typing import Any

import pytest
from result_support import make_run
from stored_runs import copy_line

import kerasbatch as kb
from kerasbatch.analysis.comparison.text.answer import answer_sentence
from kerasbatch.analysis.comparison.text.cells import criteria, unfinished_lines
from kerasbatch.analysis.plots.curves import curves, curves_notes


def _killed(folder: Path, *accuracies: float, **options: Any) -> Path:
    run = make_run(folder, *accuracies, **options)
    (run / "record.json").unlink()
    return run


def test_only_a_killed_run(tmp_path: Path) -> None:
    """Its history is judged and drawn; there is no answer yet."""
    run = _killed(tmp_path / "x", 0.5, 0.9, 0.8)
    comparison = kb.compare(tmp_path)
    assert criteria(comparison).startswith("judged by val_accuracy")
    assert comparison.table["seeds"].tolist() == [0]
    assert answer_sentence(comparison) == "No run has finished, so nothing can be concluded."
    (line,) = unfinished_lines(comparison)
    assert line.startswith(f"x/{run.name}: step 30, val_accuracy 0.8; it is running, or")
    drawn = curves(kb.load(tmp_path), comparison, "steps")
    assert [curve.label for curve in drawn.curves] == ["batch size 10 (unfinished)"]
    assert list(curves_notes(drawn)) == ["1 unfinished run drawn faintly"]


def test_a_killed_run_beside_finished_ones_changes_no_answer(tmp_path: Path) -> None:
    """Though it reached the target, and has the best value of all."""
    for seed in (0, 1):
        make_run(tmp_path / "x", 0.5, 0.9, seed=seed)
    before = kb.compare(tmp_path)
    _killed(tmp_path / "x", 0.5, 0.99, seed=2)
    after, aimed = kb.compare(tmp_path), kb.compare(tmp_path, target="val_accuracy>=0.95")
    assert answer_sentence(after) == answer_sentence(before)
    assert after.table["val_accuracy_high"].tolist() == [0.9]
    assert (aimed.best, aimed.table["reached"].tolist()) == ({}, [0])
    assert len(after.unfinished) == 1


def test_a_run_without_an_evaluation(tmp_path: Path) -> None:
    """It has begun, and says so."""
    run = _killed(tmp_path / "x", 0.5)
    (run / "history.csv").unlink()
    (line,) = kb.compare(tmp_path).unfinished
    assert line.startswith(f"x/{run.name}: no evaluation so far; it is running, or")


def test_failed_and_interrupted_runs_are_named(tmp_path: Path) -> None:
    """With what their records say."""
    make_run(tmp_path / "x", 0.5, 0.9)
    message = {"message": "ValueError: no room"}
    failed = make_run(tmp_path / "x", 0.5, seed=1, status="failed", record=message)
    assert kb.compare(tmp_path).unfinished == (f"x/{failed.name} (failed): ValueError: no room",)


def test_a_killed_run_of_own_code_is_no_other_spec(tmp_path: Path) -> None:
    """Its spec.yaml names the code by another path than a record does."""
    spec = {"callbacks": [{"python": "own.py:make"}]}
    make_run(tmp_path / "x", 0.5, 0.9, spec=spec)
    run = _killed(tmp_path / "x", 0.5, 0.9, seed=1, spec=spec)
    text = (run / "spec.yaml").read_text(encoding="utf-8")
    (run / "spec.yaml").write_text(text.replace("own.py", "/elsewhere/own.py"), encoding="utf-8")
    assert not [c for c in kb.compare(tmp_path).caveats if "differ in" in c.message]


def test_the_size_of_a_full_batch_is_that_of_its_first_steps(tmp_path: Path) -> None:
    """It stands in no spec."""
    _, full = copy_line(tmp_path)
    (full / "record.json").unlink()
    spec = (full / "spec.yaml").read_text(encoding="utf-8")
    (full / "spec.yaml").write_text(spec.replace("batch_size: 24", "batch_size: full"))
    runs = kb.load(tmp_path).runs.set_index("status")
    assert runs["batch_size"]["unfinished"] == 24


@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_the_rate_of_an_unfinished_run_is_known(tmp_path: Path, rate: float) -> None:
    """So that it stands with the runs of its setting."""
    _killed(tmp_path / "x", 0.5, rate=rate)
    assert kb.load(tmp_path).runs["learning_rate"].tolist() == [rate]


def test_an_unfinished_run_does_not_choose_the_rate(tmp_path: Path) -> None:
    """Though it came nearer to the target than the finished one."""
    make_run(tmp_path / "x", 0.5, 0.8, rate=0.1)
    _killed(tmp_path / "x", 0.5, 0.9, rate=0.2)
    comparison = kb.compare(tmp_path, target="val_accuracy>=0.95")
    assert comparison.table["learning_rate"].tolist() == [0.1]
    assert comparison.table["val_accuracy"].tolist() == [0.8]
    assert comparison.table["unknown"].tolist() == [0]


@pytest.mark.parametrize("column", ["experiment", "status", "seed", "x\x1b[2J"])
def test_a_history_with_columns_of_others_is_named(tmp_path: Path, column: str) -> None:
    """Nothing vouches for it: it could take the place of what the spec says."""
    run = _killed(tmp_path / "x", 0.5)
    head, *rows = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    lines = [f"{head},{column}", *(f"{row},7" for row in rows)]
    (run / "history.csv").write_text("\n".join(lines), encoding="utf-8")
    (problem,) = kb.load(tmp_path).problems.values()
    assert "its history.csv has a column" in problem
