"""Runs as tables."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from patience import limit
from result_support import make_run

import kerasbatch as kb
from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.records.run_row import RUN_COLUMNS


def test_every_run_has_a_row_and_its_history(tmp_path: Path) -> None:
    """A results root, an experiment and a run are read alike; each run once."""
    folder = tmp_path / "one"
    first = make_run(folder, 0.5, 0.9, batch_size=10)
    make_run(folder, 0.6, batch_size=20)
    loaded = kb.load(tmp_path)
    assert loaded.runs["batch_size"].tolist() == [10, 20]
    assert loaded.runs.columns[:3].tolist() == ["experiment", "run_id", "status"]
    assert loaded.runs["optimizer.learning_rate"].tolist() == [0.1, 0.1]
    assert len(loaded.history) == 3 + 2
    assert loaded.history.groupby("batch_size")["val_accuracy"].last().tolist() == [0.9, 0.6]
    assert loaded.steps["batch_size"].tolist() == [1, 1]  # the file's own column
    assert list(loaded.specs) == [f"one/{name}" for name in loaded.runs["run_id"]]
    assert len(kb.load([folder, first, tmp_path]).runs) == 2
    assert kb.load(first).runs["run_id"].tolist() == [first.name]


def test_types_are_right(tmp_path: Path) -> None:
    """Text stays text, and what is not finite is a number."""
    for text, value in (("010", "inf"), ("1e3", "nan"), ("no", 0.5)):
        swept, row = {"model.name": text}, {"val_loss": value}
        make_run(tmp_path, 0.5, seed=len(text), swept=swept, row=row)
    runs = kb.load(tmp_path).runs.set_index("model.name")
    assert set(runs.index) == {"010", "1e3", "no"}
    assert runs["val_loss"]["010"] == float("inf")
    assert pd.isna(runs["val_loss"]["1e3"])
    assert runs["val_loss"].dtype == float


def test_no_runs_give_empty_tables_with_the_right_columns(tmp_path: Path) -> None:
    """So that what works on tables works on these."""
    loaded = kb.load(tmp_path)
    assert loaded.runs.columns.tolist() == ["experiment", *RUN_COLUMNS]
    assert loaded.history.columns.tolist() == ["experiment", "run_id", *HISTORY_COLUMNS]
    assert loaded.steps.empty
    assert loaded.problems == {str(tmp_path): "holds no run"}
    with pytest.raises(kb.SpecError, match="is no directory"):
        kb.load(tmp_path / "nowhere")


def test_unfinished_and_damaged_runs(tmp_path: Path) -> None:
    """What goes on has a row; what is damaged is named."""
    goes_on, torn = make_run(tmp_path, 0.5, seed=1), make_run(tmp_path, 0.5, seed=2)
    (goes_on / "record.json").unlink()
    (torn / "history.csv").write_text("epoch,step\n1,2\n", encoding="utf-8")
    make_run(tmp_path, 0.5, seed=3)
    loaded = kb.load(tmp_path)
    assert sorted(loaded.runs["status"]) == ["done", "unfinished"]
    assert loaded.runs.set_index("status")["seed"]["unfinished"] == 1
    (problem,) = loaded.problems.values()
    assert problem == "its history.csv does not match its checksum"


def test_it_shows_itself_in_a_notebook(tmp_path: Path) -> None:
    """As text: what a run is called can do nothing."""
    make_run(tmp_path, 0.5, swept={"model.name": "<script>alert(1)</script>"})
    shown = kb.load(tmp_path)._repr_html_()
    assert "<table" in shown
    assert "<script>" not in shown


def test_it_needs_no_tensorflow(tmp_path: Path) -> None:
    """Nor scikit-learn."""
    make_run(tmp_path, 0.5)
    code = (
        "import sys, kerasbatch as kb; c = kb.compare(sys.argv[1]); c._repr_html_(); "
        "print([m for m in ('tensorflow', 'keras', 'sklearn') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit(60))
    assert done.stdout == "[]\n"


def test_a_directory_that_was_renamed_is_the_run_of_that_name(tmp_path: Path) -> None:
    """Its files are found; and a record that names another place leads nowhere."""
    run = make_run(tmp_path / "one", 0.5, 0.9)
    run.rename(run.with_name("mine"))
    make_run(tmp_path / "one", 0.5, 0.5, seed=1, row={"run_id": "../../elsewhere"})
    loaded = kb.load(tmp_path)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert sorted(loaded.runs["run_id"]) == names
    assert "mine" in names
    assert set(loaded.labels) == set(loaded.records) == set(loaded.directories)
    assert kb.compare(loaded).table["val_accuracy"].tolist() == [0.7]
