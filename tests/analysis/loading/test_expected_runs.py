"""Which runs an experiment asks for that are not there, and which are there unasked."""

from pathlib import Path

import pytest
from result_support import SPEC, make_run

import kerasbatch as kb
from kerasbatch.analysis.loading.expected_runs import expected_runs
from kerasbatch.records.files import dump_yaml

GRID = {"batch_size": [5, 10], "seed": [0, 1]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An experiment of four runs, without any."""
    spec = SPEC | {"steps": 20, "sweep": GRID}
    (tmp_path / "experiment.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    return tmp_path


def test_missing_and_stale_runs(folder: Path) -> None:
    """By what makes their numbers; the question of a run does not."""
    make_run(folder, 0.5, 0.6, batch_size=5, spec={"question": "another?"})
    other = make_run(folder, 0.5, 0.6, batch_size=7)
    found = expected_runs(folder, kb.load(folder))
    assert (found.total, found.problem) == (4, None)
    assert found.missing == (
        {"batch_size": 5, "seed": 1},
        {"batch_size": 10, "seed": 0},
        {"batch_size": 10, "seed": 1},
    )
    assert found.stale == (f"{folder.name}/{other.name}",)


def test_a_damaged_run_is_not_missing(folder: Path) -> None:
    """It is named among those that cannot be read; its spec.yaml says which it is."""
    broken = make_run(folder, 0.5, 0.6, batch_size=5)
    (broken / "record.json").write_text("{", encoding="utf-8")
    assert len(expected_runs(folder, kb.load(folder)).missing) == 3
    (broken / "spec.yaml").write_text("- nothing", encoding="utf-8")
    found = expected_runs(folder, kb.load(folder))
    assert (len(found.missing), found.stale) == (4, ())


def test_without_a_readable_spec_nothing_can_be_told(tmp_path: Path) -> None:
    """It says why."""
    make_run(tmp_path, 0.5)
    found = expected_runs(tmp_path, kb.load(tmp_path))
    assert (found.total, found.problem) == (
        None,
        "experiment.yaml is missing",
    )
