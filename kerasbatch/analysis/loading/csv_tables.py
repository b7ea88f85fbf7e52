"""Many small CSV files as one table: files with the same header are parsed at once."""

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kerasbatch.columns import INNER_COLUMNS, RUN_KEYS
from kerasbatch.records.stored_files import StoredFileError, read_stored
from kerasbatch.text import show_value

OWNER = "_owner"
"""The column with the number of each row's file."""
TEXTS = frozenset({"check"})
"""The columns of text; all others hold numbers."""
_REFUSED = {*RUN_KEYS, *INNER_COLUMNS, OWNER}


def read_all(files: Iterable[Path], columns: Sequence[str]) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read files into one table.

    Args:
        files: CSV files with a header; a missing file has no rows.
        columns: the first columns of the table.

    Returns:
        The table, with the number of each row's file in the column OWNER; and the problem of each
        file that could not be read, by its number.
    """
    bodies: dict[str, list[tuple[int, str]]] = defaultdict(list)
    problems: dict[int, str] = {}
    for number, file in enumerate(files):
        try:
            text = read_stored(file).decode("utf-8").replace("\r\n", "\n")
        except FileNotFoundError:
            continue
        except (StoredFileError, UnicodeDecodeError) as error:
            problems[number] = f"its {file.name} {_reason(error)}"
            continue
        header, _, body = text.partition("\n")
        if body.strip():
            bodies[header].append((number, body))
    parts = [
        part
        for header, texts in bodies.items()
        for part in _parse_readable(header, texts, columns, problems)
    ]
    if not parts:
        return pd.DataFrame(columns=[*columns, OWNER]), problems
    table = pd.concat(parts, ignore_index=True).sort_values(OWNER, kind="stable")
    names = dict.fromkeys([*columns, *table.columns])
    return table.reindex(columns=list(names)).reset_index(drop=True), problems


def _reason(error: StoredFileError | UnicodeDecodeError) -> str:
    return "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)


def _parse_readable(
    header: str,
    texts: Sequence[tuple[int, str]],
    columns: Sequence[str],
    problems: dict[int, str],
) -> Iterator[pd.DataFrame]:
    """Yield the rows of files with one header; if they do not fit it, file by file."""
    try:
        yield _parse(header, texts, columns)
    except ValueError as error:  # includes the parser errors of pandas
        if len(texts) == 1:
            problems[texts[0][0]] = f"one of its tables cannot be read ({error})"
            return
        for text in texts:
            yield from _parse_readable(header, [text], columns, problems)


def _parse(header: str, parts: Sequence[tuple[int, str]], columns: Sequence[str]) -> pd.DataFrame:
    text = "".join(body if body.endswith("\n") else f"{body}\n" for _, body in parts)
    counts = [body.count("\n") + (not body.endswith("\n")) for _, body in parts]
    table = pd.read_csv(io.StringIO(f"{header}\n{text}"))
    _check(table, columns)
    table[OWNER] = np.repeat([number for number, _ in parts], counts)
    return table


def _check(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ValueError for a missing column, and for text in a column of numbers."""
    if inner := [name for name in map(str, table) if name in _REFUSED or not name.isprintable()]:
        raise ValueError(f"{show_value(inner[0])} is no name of a column")
    if missing := [name for name in columns if name not in table]:
        raise ValueError(f"it has no column {missing[0]}")
    for name in table.columns:
        if name not in TEXTS and not pd.api.types.is_numeric_dtype(table[name]):
            raise ValueError(f"{name} holds a text")
    if "step" in table and not np.isfinite(table["step"]).all():
        raise ValueError("step has an empty cell")
