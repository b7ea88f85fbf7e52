"""Checkpoints on the disk: whole or not used, whatever ends the process that writes them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from checkpoint_support import FACTS

from kerasbatch.records import stored_files
from kerasbatch.records.checkpoints import checkpoint_folder
from kerasbatch.records.checkpoints.checkpoint_folder import Checkpoint, CheckpointFolder
from kerasbatch.records.checkpoints.packed_state import is_plain, pack, unpack

SUPPORT = Path(__file__).parents[2] / "support"
STATE: dict[str, Any] = {
    "numbers": [1, -2.5, float("inf"), True, None, "text", 2**70],
    "pairs": {3: (1, 2), "a": {"b": []}},
    "arrays": [np.arange(6.0).reshape(2, 3)[:, ::2], np.array(3, np.int64), np.float32(0.1)],
    "empty": np.zeros((0, 4), np.uint8),
    "big_endian": np.array([1.0, 2.0], ">f8"),
    "half": np.array([1.5, 2.5], ml_dtypes.bfloat16),
}


def assert_equal(one: Any, other: Any) -> None:
    """Equal in type, value and, for arrays, in dtype and shape."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray | np.generic):
        assert (one.dtype, one.shape) == (other.dtype.newbyteorder("="), other.shape)
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert_equal(list(one.values()), list(other.values()))
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_equal(mine, theirs)
    else:
        assert one == other


def whole(folder: CheckpointFolder) -> list[Checkpoint]:
    return [each for each in folder.newest() if isinstance(each, Checkpoint)]


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Types, keys that are numbers, strides, no elements, bfloat16."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.write(7, STATE, FACTS)
    (checkpoint,) = whole(folder)
    assert (checkpoint.step, checkpoint.facts["run_id"]) == (7, FACTS["run_id"])
    assert_equal(checkpoint.state(), STATE)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, np.array(["a"]), np.array([None]), np.zeros(2, "V8"), [len]]
)
def test_only_plain_values_are_packed(value: Any) -> None:
    """Whatever would need code to be read back is refused."""
    assert not is_plain(value)
    if not isinstance(value, np.ndarray):
        with pytest.raises(TypeError, match="the state of a training holds a"):
            pack(value)


@pytest.mark.parametrize("value", [{}, {"a": 1}, {"array": 5}, {"code": 0}, {"dict": [1]}])
def test_what_no_state_holds(value: Any) -> None:
    """A forged file is an error."""
    with pytest.raises(ValueError, match="holds no state of a training"):
        unpack(value, [np.zeros(1)])


def test_two_are_kept_and_then_one(tmp_path: Path) -> None:
    """In the order of their steps, not of their names or times."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    for step in (900, 1000, 11_000):
        folder.write(step, STATE, FACTS)
        os.utime(folder.path / f"step-{step}", (0, 1e9 - step))  # a clock that is set back
    assert [checkpoint.step for checkpoint in whole(folder)] == [11_000, 1000]
    folder.keep(1)
    assert sorted(path.name for path in folder.path.iterdir()) == ["step-11000"]


@pytest.mark.parametrize("name", ["checkpoint.json", "state.json", "arrays.bin"])
@pytest.mark.parametrize("harm", ["flip", "cut", "delete", "link", "extend"])
def test_a_damaged_one_is_not_used(name: str, harm: str, tmp_path: Path) -> None:
    """The one before is, and a message says why; both damaged: none is."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    for step in (1, 2):
        folder.write(step, STATE, FACTS)
    for step, usable in ((2, [1]), (1, [])):
        file = folder.path / f"step-{step}" / name
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.unlink()
        if harm == "link":
            file.symlink_to("/etc/hostname")
        elif harm != "delete":
            changed = {"flip": content, "cut": content[:-1], "extend": content + b"\0"}[harm]
            file.write_bytes(changed)
        found = list(folder.newest())
        assert [each.step for each in found if isinstance(each, Checkpoint)] == usable
        assert str(found[0]).startswith("the checkpoint of step 2 ")
    assert folder.has_any()


def test_the_state_of_others_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter sees the facts; only what it asks for is hashed."""
    folder, hashed = CheckpointFolder(tmp_path / "checkpoints"), []
    for step in (1, 2):
        folder.write(step, STATE, FACTS)
    monkeypatch.setattr(
        checkpoint_folder, "hash_stored", lambda path: hashed.append(path) or "another"
    )
    asked = list(folder.newest(lambda checkpoint: checkpoint.step == 1))
    assert {path.parent.name for path in hashed} == {"step-1"}
    assert len(asked) == 1
    assert str(asked[0]).startswith("the checkpoint of step 1 ")


@pytest.mark.parametrize("key", [*FACTS, "files", "format", "checksum"])
@pytest.mark.parametrize("value", [None, 5, "deep"])
def test_a_forged_manifest_is_damaged(key: str, value: Any, tmp_path: Path) -> None:
    """Also with a checksum that is right, and nested so deeply that it cannot be read."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.write(1, STATE, FACTS)
    path = folder.path / "step-1" / "checkpoint.json"
    content = json.loads(path.read_text())
    content.pop("checksum")
    content[key] = value
    if key != "checksum":
        content["checksum"] = checkpoint_folder.checksum_of(content)
    deep = "[" * 200_000
    path.write_text(
        json.dumps(content).replace('"deep"', deep) if value == "deep" else json.dumps(content)
    )
    assert str(next(folder.newest())).startswith("the checkpoint of step 1 ")


@pytest.mark.parametrize("level", ["checkpoints", "step-1"])
def test_links_are_not_followed(level: str, tmp_path: Path) -> None:
    """Nothing outside is read, written or deleted."""
    outside = CheckpointFolder(tmp_path / "outside")
    outside.write(1, STATE, FACTS)
    outside.write(2, STATE, FACTS)
    before = sorted(tmp_path.joinpath("outside").rglob("*"))
    folder = CheckpointFolder(tmp_path / "run" / "checkpoints")
    folder.path.parent.mkdir()
    if level == "checkpoints":
        folder.path.symlink_to(outside.path)
        with pytest.raises(OSError, match="its folder is a link"):
            folder.write(3, STATE, FACTS)
    else:
        folder.path.mkdir()
        (folder.path / "step-1").symlink_to(outside.path / "step-1")
        folder.write(3, STATE, FACTS)
        folder.write(4, STATE, FACTS)
    assert all(each.step > 2 for each in whole(folder))
    folder.keep(1)
    folder.delete_after(0)
    folder.delete()
    assert sorted(tmp_path.joinpath("outside").rglob("*")) == before


def test_the_rows_of_a_long_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state may have more text than other files of JSON."""
    monkeypatch.setitem(stored_files._AT_ONCE, ".json", 10_000)
    folder = CheckpointFolder(tmp_path / "checkpoints")
    rows = [{f"dense/kernel[{number},0]": number / 7 for number in range(100)}] * 50
    folder.write(1, {"rows": rows}, FACTS)
    (checkpoint,) = whole(folder)
    assert (folder.path / "step-1" / "state.json").stat().st_size > 10_000
    assert len(checkpoint.state()["rows"]) == 50


def test_a_forged_size_takes_no_memory(tmp_path: Path) -> None:
    """Also with checksums that are right."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.write(1, STATE, FACTS)
    path = folder.path / "step-1" / "state.json"
    content = json.loads(path.read_text())
    content["arrays"][0]["shape"] = [2**40]
    path.write_text(json.dumps(content))
    with pytest.raises(Exception, match="holds no state of a training") as error:
        checkpoint_folder.read_state(path.parent)
    assert type(error.value).__name__ == "StoredFileError"


def test_a_full_disk_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves nothing half written."""
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.write(1, STATE, FACTS)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kerasbatch.records.checkpoints.state_files.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            folder.write(2, STATE, FACTS)
    assert [path.name for path in folder.path.iterdir()] == ["step-1"]
    folder.write(2, STATE, FACTS)
    assert [checkpoint.step for checkpoint in whole(folder)] == [2, 1]


def test_killed_at_every_call(tmp_path: Path) -> None:
    """The newest checkpoint that is seen is whole, the old or the new one; the next is written."""
    command = [sys.executable, SUPPORT / "kill_checkpoints.py", tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    kills = int(ended.stdout.split()[1])
    assert kills >= 20
