"""A user's own table in a CSV file: rows of text cells under the names of their columns."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.errors import Location, SpecError
from kerasbatch.workload.table import Table

if TYPE_CHECKING:
    import pandas as pd

MAX_COLUMNS = 100_000
MAX_HEADER = 10_000_000
"""Characters that the first line of a file may have."""


def read(path: Path, where: Location) -> Table:
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
