"""Results that were damaged on disk: named, trained again, never shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_support import numbers, run, run_here

import kerasbatch as kb
from kerasbatch.records.record import FORMAT
from kerasbatch.records.run_directory import RunDirectory


class Listener(kb.Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def notice(self, message: str) -> None:
        self.heard.append(message)


def _damaged(content: bytes, count: int) -> Iterator[bytes]:
    """Yield a content with a flipped byte or a cut, a different one every time."""
    random = np.random.RandomState(3)
    for number in range(count):
        place = random.randint(len(content))
        if number % 3 == 2:
            yield content[:place]
        else:
            flipped = content[place] ^ random.randint(1, 256)
            yield content[:place] + bytes([flipped]) + content[place + 1 :]


@pytest.mark.parametrize("name", ["record.json", "history.csv", "steps.csv", "spec.yaml"])
def test_no_damage_goes_unseen(name: str, small: dict[str, Any], tmp_path: Path) -> None:
    """Of 200 flipped bytes and cuts; blanks between the values of a record may be any."""
    first = run(small, tmp_path)
    whole = RunDirectory(first.directory).read().record
    file = first.directory / name
    content = file.read_bytes()
    for damaged in _damaged(content, 200):
        file.write_bytes(damaged)
        found = RunDirectory(first.directory).read()
        assert found.problem or found.record == whole
    file.write_bytes(content)
    assert RunDirectory(first.directory).read().record == whole


@pytest.mark.parametrize("name", ["record.json", "history.csv"])
def test_a_damaged_result_is_trained_again_with_a_sentence(
    name: str, small: dict[str, Any], tmp_path: Path
) -> None:
    """And gives the old numbers."""
    first, listener = run(small, tmp_path), Listener()
    before = numbers(first)
    file = first.directory / name
    file.write_bytes(file.read_bytes().replace(b"0.1", b"0.9", 1))
    again = run(small, tmp_path, watcher=listener)
    assert not again.reused
    assert listener.heard == [
        f"{again.directory.name}: its {name} does not match its checksum; it is trained again"
    ]
    pd.testing.assert_frame_equal(numbers(again), before, check_exact=True)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b'{"format": 2}', b"{" * 10_000, b""])
def test_a_bad_record_blocks_nothing(content: bytes, small: dict[str, Any], tmp_path: Path) -> None:
    """Of this run or of another one."""
    first, other = run(small, tmp_path), run(small | {"seed": 3}, tmp_path)
    (other.directory / "record.json").write_bytes(content)
    assert run(small, tmp_path).reused
    (first.directory / "record.json").write_bytes(content)
    assert not run(small, tmp_path).reused


def _foreign(result: kb.Result) -> None:
    record = {"format": FORMAT + 5, "status": "done", "row": dict(result.row) | {"new": 7}}
    (result.directory / "record.json").write_text(json.dumps(record), encoding="utf-8")


def test_another_format_is_named_and_left_alone(small: dict[str, Any], tmp_path: Path) -> None:
    """Its row does not vanish; a run in its place is refused before anything is trained."""
    first, other = run(small, tmp_path), run(small | {"seed": 3}, tmp_path)
    _foreign(other)
    before = (other.directory / "record.json").read_bytes()
    assert run(small, tmp_path).reused
    runs = pd.read_csv(tmp_path / "experiment" / "runs.csv")
    assert sorted(runs["run_id"]) == sorted([first.directory.name, other.directory.name])
    with pytest.raises(kb.SpecError, match=rf"was written in format {FORMAT + 5} by another"):
        run(small | {"seed": 3}, tmp_path)
    assert (other.directory / "record.json").read_bytes() == before


def test_a_directory_that_is_being_deleted_ends_its_run_only(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table cannot be replaced while `rm -r` has deleted files and not yet the directory."""
    write, deleted = RunDirectory.write, []

    def half_deleted(directory: RunDirectory, name: str, *table: Any) -> None:
        if not deleted:
            deleted.append(directory.path)
            (directory.path / "spec.yaml").unlink()
            raise FileNotFoundError(name)
        write(directory, name, *table)

    monkeypatch.setattr(RunDirectory, "write", half_deleted)
    results = run_here(small | {"sweep": {"seed": [0, 1]}}, tmp_path)
    assert sorted(result.status for result in results) == ["done", "failed"]
    (failed,) = (result for result in results if result.status == "failed")
    assert failed.directory == deleted[0]
    assert "its directory was deleted" in failed.message
    assert len(failed.history) == 3
    assert (deleted[0] / "spec.yaml").exists()


def test_results_of_other_versions_are_told(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand, with a notice."""
    from kerasbatch.records import provenance

    run(small, tmp_path)
    now, listener = provenance.versions(), Listener()
    monkeypatch.setattr(provenance, "versions", lambda backend="": now | {"keras": "9.9.9"})
    again = run(small, tmp_path, watcher=listener)
    assert again.reused
    assert listener.heard == [
        f"{again.directory.name} was trained earlier with keras {now['keras']} (now 9.9.9); "
        "--rerun trains it again"
    ]


def test_a_record_holds_no_name_of_the_machine_and_no_path(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that results can be published; not in a traceback either."""
    import platform

    from kerasbatch.engine.training.plain import PlainTraining

    monkeypatch.setattr(PlainTraining, "fit", lambda *_: 1 / 0)
    result = run(small | {"engine": "keras"}, tmp_path)
    text = (result.directory / "record.json").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in text
    assert str(Path(kb.__file__).parent) not in text
    assert str(tmp_path) not in text
    assert f'"{platform.node()}"' not in text
    assert set(result.record["machine"]) == {"processor", "cores", "system"}
