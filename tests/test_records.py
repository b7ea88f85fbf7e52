"""Files that are complete or not there, and names that can be read."""

import os
from pathlib import Path
from typing import Any

import pytest

from kerasbatch.records import files
from kerasbatch.spec import specfile


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no temporary file beside it."""
    file = tmp_path / "a.txt"
    files.write_text(file, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_text(file, "new")
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_missing_values_are_empty_cells(tmp_path: Path) -> None:
    """None and absent keys are the same; text with commas is quoted; nan stays nan."""
    file = tmp_path / "t.csv"
    rows: list[dict[str, Any]] = [{"a": None, "b": "x,y"}, {"a": float("nan"), "c": 0.1}]
    files.write_csv(file, files.columns_of(rows, ["a"]), rows)
    assert file.read_text(encoding="utf-8") == 'a,b,c\n,"x,y",\nnan,,0.1\n'


def test_run_names(small: dict[str, Any]) -> None:
    """Swept values, made safe for every file system, and a hash."""
    spec = specfile.from_dict(small).spec
    name = files.run_id(spec, {"optimizer.learning_rate": {"times": 0.5}, "seed": 1}, "data")
    assert name.rsplit("-", 1)[0] == "learning_rate=x0.5-seed=1"
    odd = files.run_id(spec, {"data.csv": "../ü/ä b:*.csv"}, "data")
    assert set(odd) <= set("abcdefghijklmnopqrstuvwxyz0123456789._=+-")
    assert len(files.run_id(spec, {"loss": "x" * 500}, "data")) < 100


def test_what_enters_a_name(small: dict[str, Any]) -> None:
    """Numbers do, words and the engine do not, the data really used do."""

    def name(fingerprint: str = "data", **keys: Any) -> str:
        return files.run_id(specfile.from_dict(small | keys).spec, {}, fingerprint)

    assert name() == name(question="why?", name="other", engine="keras")
    assert len({name(), name(seed=1), name(epochs=3), name("other data"), name(loss="mse")}) == 5


def test_runs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """batch_size=2 comes before batch_size=16."""
    experiment = files.Experiment(tmp_path)
    for size in (128, 16, 2):
        directory = experiment.run(f"batch_size={size}-abc")
        directory.path.mkdir()
        directory.finish({"status": "done", "row": {"run_id": directory.run_id}})
    experiment.write_runs()
    lines = (tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split("-")[0] for line in lines] == [
        "batch_size=2",
        "batch_size=16",
        "batch_size=128",
    ]
