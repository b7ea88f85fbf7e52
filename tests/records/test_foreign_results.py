"""Results from a stranger: links, pipes, forged records and tables."""

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forge import forge_record, forge_table, forged_count, sign
from stored_runs import copy_line

import kerasbatch as kb
from kerasbatch.analysis.loading import find
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.runs_csv import RunsCsv
from kerasbatch.records.stored_files import StoredFileError, hash_stored, read_stored


def _read_everything(folder: Path, *, with_page: bool) -> None:
    """Use every reader of results; a KerasbatchError is an answer, any other error is not."""
    readers: list[Callable[[], Any]] = [
        lambda: kb.load(folder).history,
        lambda: kb.compare(folder).to_json(),
        lambda: kb.compare(folder, target="train_loss<=1", fit=True).to_csv(),
        lambda: RunsCsv(Experiment(folder / "line")).write(),
        *([lambda: kb.report(folder)] if with_page else []),
    ]
    for reader in readers:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pandas, about huge numbers
                reader()
        except kb.KerasbatchError as error:
            assert str(error)  # noqa: PT017


@pytest.mark.parametrize("seed", range(20))
def test_a_forged_record_is_named_or_read(tmp_path: Path, seed: int) -> None:
    """It costs its own row only."""
    _, forged = copy_line(tmp_path)
    _forge(forged, seed)
    _read_everything(tmp_path, with_page=seed % 10 == 0)
    assert len(kb.load(tmp_path).runs) >= 1


def _forge(run: Path, seed: int) -> None:
    """Forge a record, or a table, or a table of a run that has not ended."""
    if seed % 3 == 0:
        forge_record(run, seed)
    else:
        forge_table(run, seed)
    if seed % 3 == 1:
        (run / "record.json").unlink()


@pytest.mark.slow
def test_many_forged_records(tmp_path: Path) -> None:
    """As above, 60 of them; or as many as $KERASBATCH_FORGED says."""
    for seed in range(1000, 1000 + forged_count(60)):
        _, forged = copy_line(tmp_path / str(seed))
        _forge(forged, seed)
        _read_everything(tmp_path / str(seed), with_page=seed % 50 == 0)
        assert len(kb.load(tmp_path / str(seed)).runs) >= 1


@pytest.mark.parametrize(
    ("place", "name", "value", "problem"),
    [
        ("files", "/proc/kmsg", "0" * 64, "has an invalid files./proc/kmsg"),
        ("files", "../secret", "0" * 64, "has an invalid files.../secret"),
        ("row", "experiment", 7, "has a row.'experiment', which is no column of a run"),
        ("row", "batch_size", None, "has an invalid row.batch_size"),
        ("row", "status", "failed", "has another status in its row"),
        ("swept", "row", 7, "has a swept.'row', which is no key of a spec"),
        ("swept", "save", "last", "has a swept.'save', which is no key of a spec"),
        ("swept", "data.\x1b]0;OWNED", 7, "which is no key of a spec"),
        ("spec", "data", "\ud800", "holds text that is not Unicode"),
        ("swept", "seed", 10**400, "holds a number that is too large"),
        ("spec", "data", {"a": json.loads("[" * 60 + "]" * 60)}, "is nested too deeply"),
    ],
)
def test_the_shape_of_a_record(
    tmp_path: Path, place: str, name: str, value: Any, problem: str
) -> None:
    """Signed well, and not a record that a run writes."""
    _, forged = copy_line(tmp_path)
    record = json.loads((forged / "record.json").read_bytes())
    record[place][name] = value
    sign(forged, record)
    problems = kb.load(tmp_path).problems
    assert problem in problems[f"line/{forged.name}"]


def test_only_regular_files_of_a_sensible_size_are_opened(tmp_path: Path) -> None:
    """A link, a folder, a pipe, and a sparse file of 100 GB."""
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "link.csv").symlink_to(tmp_path / "secret")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    with (tmp_path / "sparse.csv").open("wb") as sparse:
        sparse.truncate(100 * 10**9)
    problems = {
        "link": "is a link, which is not followed",
        "loop": "is a link, which is not followed",
        "folder": "is not a file",
        "pipe": "is not a file",
        "sparse": "has 95,367 MiB, more than the limit of ",
    }
    for name, problem in problems.items():
        for read in (read_stored, hash_stored):
            with pytest.raises(StoredFileError, match=problem):
                read(tmp_path / f"{name}.csv")
    assert read_stored(tmp_path / "secret") == b"secret"


@pytest.mark.parametrize("name", ["seed=0-0a1b2c3d", ".rerun-a", ".old-a", "runs.csv", ".lock"])
def test_a_link_in_an_experiment_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing behind it is written, renamed or deleted, unless the spec is trusted."""
    victim, experiment = tmp_path / "victim", Experiment(tmp_path / "experiment")
    victim.mkdir()
    (victim / ".paper.writing").write_text("mine", encoding="utf-8")
    experiment.path.mkdir()
    (experiment.path / name).symlink_to(victim)
    with pytest.raises(kb.SpecError, match="is a symbolic link"), experiment.locked():
        pass
    assert [path.name for path in victim.iterdir()] == [".paper.writing"]
    assert [path.name for path in experiment.path.iterdir()] == [name]


def test_nothing_is_read_through_a_link(tmp_path: Path) -> None:
    """Neither a spec, whose text an error would quote, nor the numbers of another folder."""
    real, _ = copy_line(tmp_path / "private")
    (tmp_path / "token").write_text("sk-live-SECRET", encoding="utf-8")
    (tmp_path / "shared/a/one").mkdir(parents=True)
    (tmp_path / "shared/a/one/spec.yaml").symlink_to(tmp_path / "token")
    (tmp_path / "shared/b").symlink_to(real.parent)
    (tmp_path / "shared/c/two").mkdir(parents=True)
    for file in real.iterdir():
        (tmp_path / "shared/c/two" / file.name).symlink_to(file)
    loaded = kb.load(tmp_path / "shared")
    assert loaded.problems == {
        "a/one": "its spec.yaml is a link, which is not followed",
        "c/two": "its record.json is a link, which is not followed",
    }
    assert loaded.runs.empty
    assert find.experiments([tmp_path / "shared"]) == []  # b leads to one
    assert "SECRET" not in kb.report(tmp_path / "shared")
