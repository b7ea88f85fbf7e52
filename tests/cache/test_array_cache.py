"""The cache of arrays: whole entries or none, found again, written anew when damaged."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasbatch.cache import array_cache, writer
from kerasbatch.cache.array_cache import ArrayCache, check_room, hashed
from kerasbatch.cache.errors import CacheError
from kerasbatch.cache.places import cache_folder
from kerasbatch.cache.writer import EntryWriter

KEY = hashed(["test"])


def write(entry: EntryWriter) -> Mapping[str, Any]:
    entry.array("x", (3, 2), "float32")[:] = 7
    rows = entry.rows("y", (), np.int64)
    rows.append(np.array([1, 2]))
    rows.append(np.array([3]))
    entry.save("z", np.arange(4))
    return {"kind": "test"}


def test_an_entry_is_written_once(tmp_path: Path) -> None:
    cache, calls = ArrayCache(tmp_path / "cache"), []

    def counted(entry: EntryWriter) -> Mapping[str, Any]:
        calls.append(1)
        return write(entry)

    first = cache.get_or_write(KEY, "numbers", counted)
    second = cache.get_or_write(KEY, "numbers", counted)
    assert len(calls) == 1
    assert (first.is_new, second.is_new) == (True, False)
    assert second.facts == {"kind": "test"}
    assert second.source == "numbers"
    np.testing.assert_array_equal(second.arrays["x"], np.full((3, 2), 7, "float32"))
    assert second.arrays["y"].tolist() == [1, 2, 3]
    assert second.arrays["z"].tolist() == [0, 1, 2, 3]
    assert second.bytes == 3 * 2 * 4 + 3 * 8 + 4 * 8
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o700


def test_an_entry_is_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    entry = ArrayCache(tmp_path).get_or_write(KEY, "numbers", write)
    with pytest.raises(ValueError, match="read-only"):
        entry.arrays["x"][0] = 1


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "facts", "no facts"])
def test_a_damaged_entry_is_written_again(tmp_path: Path, damage: str) -> None:
    cache = ArrayCache(tmp_path)
    entry = cache.get_or_write(KEY, "numbers", write)
    file = entry.path / "x.npy"
    content = file.read_bytes()
    os.utime(file, ns=(1, 1))
    if damage == "cut":
        file.write_bytes(content[:-4])
    elif damage == "changed":
        file.write_bytes(content[:-1] + b"\1")
    elif damage == "missing":
        file.unlink()
    elif damage == "facts":
        (entry.path / "facts.json").write_text('{"format": 1, "files"', encoding="utf-8")
    else:
        (entry.path / "facts.json").unlink()
    assert cache.get(KEY) is None
    again = cache.get_or_write(KEY, "numbers", write)
    assert again.is_new
    np.testing.assert_array_equal(again.arrays["x"], np.full((3, 2), 7, "float32"))


def test_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path)

    def fail(entry: EntryWriter) -> Mapping[str, Any]:
        write(entry)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get_or_write(KEY, "numbers", fail)
    assert cache.get(KEY) is None
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ArrayCache(tmp_path)
    cache.get_or_write(hashed("other"), "numbers", write)

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer, "sync", full)
    with pytest.raises(CacheError, match="the disk is full; free some room"):
        cache.get_or_write(KEY, "numbers", write)
    monkeypatch.undo()
    assert cache.get(KEY) is None
    assert cache.get(hashed("other")) is not None
    with pytest.raises(CacheError, match="MB free, and the data need"):
        check_room(tmp_path, 10**18)


def test_equal_contents_share_an_entry(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path)
    entries = [
        cache.write_by_content(hashed(name), name, write, lambda facts: hashed(facts))
        for name in ("one", "two")
    ]
    assert entries[0].path == entries[1].path
    assert all(entry.is_new for entry in entries)
    assert not list(tmp_path.glob(f"*{array_cache.WRITING}"))


def test_two_threads_write_an_entry_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def slow(entry: EntryWriter) -> Mapping[str, Any]:
        calls.append(1)
        time.sleep(0.3)
        return write(entry)

    threads = [
        threading.Thread(target=lambda: ArrayCache(tmp_path).get_or_write(KEY, "n", slow))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


KILLED = """
import os, sys
from kerasbatch.cache.array_cache import ArrayCache
def write(entry):
    entry.array("x", (1000, 1000), "float32")[:] = 1
    os.kill(os.getpid(), 9)
ArrayCache(__import__("pathlib").Path(sys.argv[1])).get_or_write(sys.argv[2], "n", write)
"""


def test_what_a_killed_process_leaves_is_replaced(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), KEY], check=False)
    assert ended.returncode == -9
    assert list(tmp_path.glob(f"*{array_cache.WRITING}"))
    cache = ArrayCache(tmp_path)
    assert cache.get(KEY) is None
    assert cache.get_or_write(KEY, "numbers", write).arrays["x"].shape == (3, 2)
    assert not list(tmp_path.glob(f"*{array_cache.WRITING}"))


def test_rows_must_fit(tmp_path: Path) -> None:
    rows = EntryWriter(tmp_path).rows("x", (2,), np.float32)
    with pytest.raises(ValueError, match="rows of float64"):
        rows.append(np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"shape \(1, 3\)"):
        rows.append(np.zeros((1, 3), np.float32))
    rows.close()


def test_facts_are_plain_json(tmp_path: Path) -> None:
    entry = ArrayCache(tmp_path).get_or_write(KEY, "numbers", write)
    content = json.loads((entry.path / "facts.json").read_text(encoding="utf-8"))
    assert sorted(content["files"]) == ["x.npy", "y.npy", "z.npy"]


def test_the_folder_is_named_by_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("KERASBATCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "kerasbatch" / "data"
