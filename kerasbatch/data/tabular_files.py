"""A user's own table in a CSV file: rows of text cells under the names of their columns."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.data.table import Table
from kerasbatch.errors import Location, SpecError
from kerasbatch.text import shortened

if TYPE_CHECKING:
    import pandas as pd

MAX_COLUMNS = 100_000
MAX_HEADER = 10_000_000
"""Characters that the first line of a file may have."""


def read_csv(path: Path, where: Location) -> Table:
    """Read a CSV file as text cells, every row as long as the header.

    Args:
        path: the file.
        where: the place in the spec that errors belong to.

    Raises:
        SpecError: if it is no table with a header and rows.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            _check_header(stream.readline(MAX_HEADER + 1), where)
            stream.seek(0)
            table = pd.read_csv(
                stream,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                header=None,
                skip_blank_lines=False,
            )
    except pd.errors.EmptyDataError:
        raise SpecError.at(where, "the file is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().replace("Error tokenizing data. C error: ", "")
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason
        if path.suffix.lower() == ".parquet":
            reason = f"it is a Parquet file; write parquet: {path.name}"
        raise SpecError.at(where, f"is not a table with a header: {reason}") from None
    filled = (table.fillna("") != "").any(axis=1).to_numpy()
    last = int(np.max(np.nonzero(filled)[0], initial=0))  # blank lines at the end are no rows
    header = [str(name).strip() for name in table.iloc[0]]
    table = table.iloc[1 : last + 1].set_axis(header, axis=1)
    if not len(table):
        raise SpecError.at(where, "the file has a header but no rows")
    if len(set(header)) < len(header):
        raise SpecError.at(where, "two columns of the file have the same name")
    cells = table.fillna("").apply(lambda column: column.str.strip()).reset_index(drop=True)
    return Table(cells, where, _lines(table))


def _check_header(line: str, where: Location) -> None:
    """Refuse a first line that is no header, before the whole file is read."""
    problem = None
    if len(line) > MAX_HEADER or line.count(",") >= MAX_COLUMNS:
        problem = f"has more than {MAX_COLUMNS:,} columns, or no end of its first line"
    elif line and not line.strip():
        problem = "begins with a blank line; the first line must name the columns"
    if problem:
        raise SpecError.at(where, problem)


def _lines(table: "pd.DataFrame") -> Callable[[int], str]:
    """Return what names the line in which a row (from 0) begins; cells may hold line ends."""

    def line(row: int) -> str:
        above = table.iloc[:row]
        inside = sum(int(above[name].str.count("\n").sum()) for name in above.columns)
        return f"line {row + 2 + inside + sum(name.count(chr(10)) for name in table.columns)}"

    return line


_ODD = (complex, bytes)


def read_parquet(path: Path, where: Location) -> Table:
    """Read a Parquet file: numbers as float64, everything else as text cells.

    Args:
        path: the file.
        where: the place in the spec that errors belong to.

    Raises:
        SpecError: if it is no such file, or pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        message = "Parquet files are read by pyarrow; write pip install 'kerasbatch[parquet]'"
        raise SpecError.at(where, message)
    import pandas as pd
    import pyarrow

    try:
        table = pd.read_parquet(path, engine="pyarrow")
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = type(error).__name__
        raise SpecError.at(where, f"is no Parquet file that can be read ({reason})") from None
    if not len(table) or not len(table.columns):
        raise SpecError.at(where, "the file has no rows or no columns")
    table = table.reset_index() if table.index.name is not None else table
    whole = typed_cells(table, where, [str(name) for name in table.columns])
    return Table(whole, where, lambda row: f"row {row + 1}")


def typed_cells(table: "pd.DataFrame", where: Location, wanted: Sequence[str]) -> "pd.DataFrame":
    """Return the columns of a table that are wanted, as float64, or text without blanks around it.

    The others are empty; their names may help who has misspelt one.

    Raises:
        SpecError: if a wanted column is there twice, or holds neither numbers nor text.
    """
    import pandas as pd

    names = [str(name) for name in table.columns]
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise SpecError.at(where, f"two columns have the name {shortened(twice[0], 60)}")
    found = {
        name: _typed_column(table.iloc[:, number], where) if name in wanted else ""
        for number, name in enumerate(names)
    }
    return pd.DataFrame(found, index=range(len(table)))


def _typed_column(column: "pd.Series[Any]", where: Location) -> "pd.Series[Any]":
    """Return a column of numbers as float64, another one as text; "" is a missing cell."""
    import pandas as pd

    kind = pd.api.types
    is_number = kind.is_numeric_dtype(column) and not kind.is_bool_dtype(column)
    plain = column.reset_index(drop=True)
    if is_number and not kind.is_complex_dtype(column):
        return plain.astype("Float64").astype("float64")
    odd = plain.dropna().map(lambda cell: isinstance(cell, _ODD) or kind.is_list_like(cell))
    if odd.any():
        message = f"column {shortened(str(column.name), 60)!r} holds neither numbers nor text"
        raise SpecError.at(where, message)
    return plain.astype(object).where(plain.notna(), "").map(str).str.strip()
