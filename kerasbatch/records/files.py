"""Atomic writing of files: a file is either complete or absent.

A temporary file in the same folder is written, flushed to the disk and moved over the old file.
"""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kerasbatch.text import escape_formula

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


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table; a missing value or None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_spreadsheet(
    path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write a table for a spreadsheet: no text is a formula."""
    escaped = [{key: escape_formula(value) for key, value in row.items()} for row in rows]
    write_csv(path, columns, escaped)


def columns_of(rows: Iterable[Mapping[str, Any]], first: Sequence[str] = ()) -> list[str]:
    """Return the columns of a table: the first ones, then the others in order of appearance."""
    return list(dict.fromkeys([*first, *(key for row in rows for key in row)]))


def dump_yaml(value: Any) -> str:
    """Return plain values as YAML text, with keys in their own order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def delete_temporary_files(folder: Path) -> None:
    """Delete the temporary files of interrupted writes in a folder."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)
