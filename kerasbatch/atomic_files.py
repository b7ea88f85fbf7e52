"""Atomic writing of files: a file is either complete or absent.

A temporary file in the same folder is written, flushed to the disk and moved over the old file.
"""

import os
import tempfile
from pathlib import Path

TEMPORARY = ".writing"
"""The suffix of incomplete files."""


def write_text(path: Path, text: str) -> None:
    """Write a text atomically: the file has either its old or its new content."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: it has either its old or its new content."""
    handle, temporary = tempfile.mkstemp(TEMPORARY, f".{path.name}.", path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def delete_temporary_files(folder: Path) -> None:
    """Delete the temporary files of interrupted writes in a folder."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
