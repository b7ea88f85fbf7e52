"""`kerasbatch cache`: what is listed, and what is deleted."""

import os
import socket
from pathlib import Path

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from kerasbatch.cache import listing
from kerasbatch.cache.array_cache import WRITING, ArrayCache, hashed
from kerasbatch.cache.in_use import MARK, is_in_use
from kerasbatch.cli.app import app


def filled(folder: Path) -> Path:
    """Return the folder of an entry in a cache."""

    def write(writer: object) -> dict[str, int]:
        writer.save("x", np.arange(1000))  # type: ignore[attr-defined]
        return {}

    return ArrayCache(folder).get_or_write(hashed("a"), "images of /a", write).path


def test_entries_are_listed_and_deleted(tmp_path: Path) -> None:
    entry = filled(tmp_path)
    (listed,) = listing.entries(tmp_path)
    assert (listed.path, listed.source) == (entry, "images of /a")
    assert listed.bytes > 8000
    assert listing.clear(tmp_path) == ([listed], [])
    assert not entry.exists()
    assert listing.entries(tmp_path) == []
    assert listing.entries(tmp_path / "none") == []


def test_only_entries_are_deleted(tmp_path: Path) -> None:
    """A folder of the user may have any name, and so may a file in an entry."""
    others = [tmp_path / "photos", tmp_path / hashed("b"), tmp_path / f"x{WRITING}"]
    for other in others:
        other.mkdir()
        (other / "mine.jpg").touch()
    entry = filled(tmp_path)
    (entry / "mine.txt").touch()
    listing.clear(tmp_path)
    assert all((other / "mine.jpg").exists() for other in others)
    assert (entry / "mine.txt").exists()


def test_the_rest_of_a_killed_process_is_deleted(tmp_path: Path) -> None:
    left = tmp_path / f"{hashed('c')}{WRITING}"
    filled(tmp_path)
    left.mkdir()
    (left / "x.npy").touch()
    listing.clear(tmp_path)
    assert not left.exists()


def test_an_entry_in_use_is_kept(tmp_path: Path) -> None:
    entry = filled(tmp_path)
    assert not is_in_use(entry)  # by this process alone
    mark = entry.with_name(f"{entry.name}{MARK}{socket.gethostname()}-{os.getppid()}")
    mark.write_text(repr(psutil.Process(os.getppid()).create_time()), encoding="utf-8")
    assert is_in_use(entry)
    deleted, used = listing.clear(tmp_path)
    assert (deleted, [one.path for one in used]) == ([], [entry])
    mark.write_text("1.0", encoding="utf-8")  # another process had this number
    assert not is_in_use(entry)
    assert not mark.exists()
    foreign = entry.with_name(f"{entry.name}{MARK}elsewhere-7")
    foreign.touch()
    assert is_in_use(entry)
    os.utime(foreign, (1, 1))
    assert not is_in_use(entry)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASBATCH_CACHE", str(tmp_path))
    filled(tmp_path)
    listed = CliRunner().invoke(app, ["cache"])
    assert "images of /a" in listed.output
    assert "1 entry" in listed.output
    cleared = CliRunner().invoke(app, ["cache", "--clear"])
    assert "1 entry deleted" in cleared.output
    assert "0 entries, 0.0 MB" in CliRunner().invoke(app, ["cache"]).output


def test_a_damaged_entry_is_deleted_too(tmp_path: Path) -> None:
    entry = filled(tmp_path)
    (entry / "facts.json").unlink()
    (listed,) = listing.entries(tmp_path)
    assert listed.source == listing.UNREADABLE
    listing.clear(tmp_path)
    assert not entry.exists()
