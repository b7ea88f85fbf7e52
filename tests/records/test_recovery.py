"""What a process that was killed has left behind."""

from pathlib import Path

import pytest
from result_support import make_run

from kerasbatch.records.experiment import Experiment
from kerasbatch.records.run_directory import RunDirectory


def _finished(directory: RunDirectory, seed: int) -> None:
    directory.path.parent.mkdir(parents=True, exist_ok=True)
    make_run(directory.path.parent, 0.5, seed=seed).rename(directory.path)


def _seed(experiment: Experiment) -> int:
    record = experiment.run("a-1").read().record
    assert record is not None
    return int(record["row"]["seed"])


@pytest.mark.parametrize("killed", ["before", "between", "after", "in an unfinished rerun"])
def test_a_rerun_that_was_killed_leaves_a_result(tmp_path: Path, killed: str) -> None:
    """Between the two renames neither would be in place; the new one is, where it is finished."""
    experiment = Experiment(tmp_path / "x")
    directory = experiment.run("a-1")
    _finished(directory, 1)
    if killed == "in an unfinished rerun":
        directory.successor().path.mkdir()
    else:
        _finished(directory.successor(), 2)
    if killed in ("between", "after"):
        directory.path.rename(directory.predecessor().path)
    if killed == "after":
        directory.successor().path.rename(directory.path)
    with experiment.locked():
        pass
    assert _seed(experiment) == (2 if killed in ("between", "after") else 1)
    left = [path.name for path in experiment.path.iterdir() if path.is_dir()]
    assert left == ["a-1"]


def test_temporary_files_are_swept_up(tmp_path: Path) -> None:
    """Those of a writing that was cut off, and nobody else's."""
    experiment = Experiment(tmp_path / "x")
    _finished(experiment.run("a-1"), 1)
    folder = experiment.run("a-1").path
    (folder / ".record.json.abc123.writing").write_text("{", encoding="utf-8")
    (experiment.path / ".runs.csv.abc123.writing").write_text("run", encoding="utf-8")
    (folder / ".mine").write_text("kept", encoding="utf-8")
    with experiment.locked():
        pass
    assert sorted(path.name for path in folder.glob(".*")) == [".mine"]
    assert not list(experiment.path.glob(".runs.csv*"))


def test_a_result_that_somebody_deleted_is_replaced_all_the_same(tmp_path: Path) -> None:
    """While its successor was trained."""
    experiment = Experiment(tmp_path / "x")
    directory = experiment.run("a-1")
    _finished(directory.successor(), 2)
    directory.take_over(directory.successor())
    assert _seed(experiment) == 2
