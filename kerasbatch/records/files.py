"""Atomic writing of tables, and plain values as YAML."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kerasbatch.atomic_files import write_text
from kerasbatch.text import escape_formula


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
