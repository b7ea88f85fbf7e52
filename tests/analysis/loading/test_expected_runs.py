"""Which runs an experiment asks for that are not there, and which are there unasked."""

from pathlib import Path

import pytest
from result_support import SPEC, make_run

import kerasbatch as kb
from kerasbatch.analysis.loading.expected_runs import ExpectedRuns
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_id import spec_hash
from kerasbatch.spec.reader import load_spec

GRID = {"batch_size": [5, 10], "seed": [0, 1]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An experiment of four runs, without any."""
    spec = SPEC | {"steps": 20, "sweep": GRID}
    (tmp_path / "experiment.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    return tmp_path


def _expected(folder: Path) -> ExpectedRuns:
    return kb.load(folder).expected[folder]


def test_missing_and_stale_runs(folder: Path) -> None:
    """By what makes their numbers; the question of a run does not."""
    make_run(folder, 0.5, 0.6, batch_size=5, spec={"question": "another?"})
    other = make_run(folder, 0.5, 0.6, batch_size=7)
    found = _expected(folder)
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
    assert len(_expected(folder).missing) == 3
    (broken / "spec.yaml").write_text("- nothing", encoding="utf-8")
    found = _expected(folder)
    assert (len(found.missing), found.stale) == (4, ())


def test_without_a_readable_spec_nothing_can_be_told(tmp_path: Path) -> None:
    """It says why."""
    make_run(tmp_path, 0.5)
    found = _expected(tmp_path)
    assert (found.total, found.problem) == (
        None,
        "experiment.yaml is missing",
    )


def _hash(folder: Path) -> str | None:
    return spec_hash(load_spec(folder / "experiment.yaml"))


def test_runs_with_overrides_of_the_same_file_are_not_stale(folder: Path) -> None:
    """Those of a file that was edited since are; and so is one whose record has no hash."""
    same = {"spec_hash": _hash(folder), "overrides": ["optimizer.learning_rate=0.2"]}
    make_run(folder, 0.5, 0.6, batch_size=5, rate=0.2, record=same)
    edited = make_run(
        folder, 0.5, 0.6, batch_size=5, rate=0.3, record=same | {"spec_hash": "0" * 64}
    )
    older = make_run(folder, 0.5, 0.6, batch_size=5, rate=0.4)
    expected = _expected(folder)
    assert set(expected.stale) == {f"{folder.name}/{run.name}" for run in (edited, older)}


def test_runs_of_dicts_are_not_stale(folder: Path) -> None:
    """A script trains one after the other under the same name, and compares them."""
    make_run(folder, 0.5, 0.6, batch_size=5, rate=0.2, record={"spec_hash": None})
    assert _expected(folder).stale == ()


def test_overrides_ask_for_a_grid_of_their_own(folder: Path) -> None:
    """If no run is one of the file alone, the file alone asks for nothing."""
    record = {"spec_hash": _hash(folder), "overrides": ["optimizer.learning_rate=0.2"]}
    make_run(folder, 0.5, 0.6, batch_size=5, rate=0.2, record=record)
    expected = _expected(folder)
    assert expected.total == 4
    assert len(expected.missing) == 3
    assert list(expected.seeds.values()) == [2]
    make_run(folder, 0.5, 0.6, batch_size=5, record=record | {"overrides": []})
    assert (_expected(folder).total, len(_expected(folder).missing)) == (8, 6)


def test_a_hash_is_that_of_the_meaning(folder: Path) -> None:
    """Comments, short forms and the question change nothing; a value, or a larger grid, does."""
    file = folder / "experiment.yaml"
    first, text = _hash(folder), file.read_text(encoding="utf-8")
    file.write_text(f"# a comment\nquestion: another?\n{text}", encoding="utf-8")
    assert _hash(folder) == first
    assert spec_hash(load_spec(file, ["batch_size=7"])) == first
    for change in (("steps: 20", "steps: 21"), ("- 1\n", "- 1\n  - 2\n")):
        assert change[0] in text
        file.write_text(text.replace(*change), encoding="utf-8")
        assert _hash(folder) != first


def test_runs_that_are_named_are_not_judged_by_a_spec(folder: Path) -> None:
    """Who names single runs asks for these."""
    stale = make_run(folder, 0.5, 0.6, batch_size=7)
    loaded = kb.load(stale)
    assert (loaded.stale, loaded.expected) == ((), {})
    assert len(kb.compare(stale).table) == 1
    with pytest.raises(kb.SpecError, match="no runs to compare: 1 run is left out"):
        kb.compare(folder)
    assert kb.compare(folder, all_runs=True).stale == ()
