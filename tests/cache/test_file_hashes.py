"""Content hashes, known again by size, time and inode."""

import os
from pathlib import Path

import pytest

from kerasbatch.cache.file_hashes import FileHashes, Stamp, sha256, stamp_of


def stamps(folder: Path) -> dict[str, Stamp]:
    return {file.name: stamp_of(file.stat()) for file in sorted(folder.iterdir())}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of two files, changed long ago."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text(name, encoding="utf-8")
        os.utime(folder / name, (1e9, 1e9))
    return folder


def test_hashes_are_known_again(tmp_path: Path, files: Path) -> None:
    hashes = FileHashes(tmp_path, files)
    assert hashes.of(stamps(files)) is None
    content = {name: sha256(files / name) for name in "ab"}
    hashes.remember(stamps(files), content)
    assert FileHashes(tmp_path, files).of(stamps(files)) == content
    assert FileHashes(tmp_path, tmp_path / "other").of(stamps(files)) is None


@pytest.mark.parametrize("change", ["content", "time", "inode"])
def test_a_changed_file_is_unknown(tmp_path: Path, files: Path, change: str) -> None:
    hashes = FileHashes(tmp_path, files)
    hashes.remember(stamps(files), dict.fromkeys("ab", "0"))
    if change == "content":
        (files / "a").write_text("longer", encoding="utf-8")
        os.utime(files / "a", (1e9, 1e9))
    elif change == "time":
        os.utime(files / "a", (2e9, 2e9))
    else:
        (files / "c").write_text("a", encoding="utf-8")
        os.utime(files / "c", (1e9, 1e9))
        (files / "c").replace(files / "a")
    assert hashes.of(stamps(files)) is None


def test_a_file_that_changed_a_moment_ago_is_not_known(tmp_path: Path, files: Path) -> None:
    """It may change again within the resolution of its time."""
    os.utime(files / "a")
    hashes = FileHashes(tmp_path, files)
    hashes.remember(stamps(files), dict.fromkeys("ab", "0"))
    assert hashes.of(stamps(files)) is None
    assert hashes.of({"b": stamps(files)["b"]}) == {"b": "0"}


def test_a_damaged_store_is_empty(tmp_path: Path, files: Path) -> None:
    FileHashes(tmp_path, files).remember(stamps(files), dict.fromkeys("ab", "0"))
    (store,) = (tmp_path / "hashes").iterdir()
    store.write_text('{"a": 7}', encoding="utf-8")
    assert FileHashes(tmp_path, files).of(stamps(files)) is None
