"""Files that are complete or not there."""

import os
from pathlib import Path
from typing import Any

import pytest

from kerasbatch import atomic_files
from kerasbatch.records import files


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no temporary file beside it."""
    file = tmp_path / "a.txt"
    atomic_files.write_text(file, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_files.write_text(file, "new")
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_missing_values_are_empty_cells(tmp_path: Path) -> None:
    """None and absent keys are the same; text with commas is quoted; nan stays nan."""
    file = tmp_path / "t.csv"
    rows: list[dict[str, Any]] = [{"a": None, "b": "x,y"}, {"a": float("nan"), "c": 0.1}]
    files.write_csv(file, files.columns_of(rows, ["a"]), rows)
    assert file.read_text(encoding="utf-8") == 'a,b,c\n,"x,y",\nnan,,0.1\n'
