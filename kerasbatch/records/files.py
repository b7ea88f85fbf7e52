"""Writing files so that each is complete or not there, whatever happens.

A file is written beside its place, flushed to the disk and moved over the old one.
"""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

TEMPORARY = ".writing"
"""What the names of files end in that are not complete yet."""


def write_text(path: Path, text: str) -> None:
    """Write a text so that the file is either the old one or the new one, whatever happens."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the new one, whatever happens."""
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


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table; a missing value or None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def columns_of(rows: Iterable[Mapping[str, Any]], first: Sequence[str] = ()) -> list[str]:
    """Return the columns of a table: the given ones, then the others as they appear."""
    return list(dict.fromkeys([*first, *(key for row in rows for key in row)]))


def dump_yaml(value: Any) -> str:
    """Write plain values as YAML in their own order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def sweep_temporary(folder: Path) -> None:
    """Delete what a writing that was cut off has left in a folder."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)
