"""The reader of tables of text: CSV and its relatives, compressed or not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.data import memory
from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.tables.dialect import SEPARATORS, Dialect, dialect_of
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.text_file import MAX_HEADER, TextFile, examine
from kerasbatch.errors import Location, SpecError
from kerasbatch.text import counted

if TYPE_CHECKING:
    import pandas as pd

CELL_BYTES = 60
"""The memory of a cell while a table is read: its text, and its number."""
MAX_COLUMNS = 100_000
_TOO_WIDE = f"has more than {MAX_COLUMNS:,} columns, or no end of its first line"
_PARQUET, _OLD_EXCEL = b"PAR1", b"\xd0\xcf\x11\xe0"


def read_text(path: Path, where: Location, given: TableFormat) -> Table:
    """Read a table of text.

    Args:
        path: the file.
        where: the place in the spec for errors.
        given: the keys of the spec about its format.

    Raises:
        SpecError: if it is not a table with rows.
    """
    import pandas as pd

    file = examine(path, where, given.encoding)
    with path.open("rb") as stream:
        if stream.read(len(_OLD_EXCEL)) == _OLD_EXCEL:
            message = f"{path.name} is an old file of Excel; save it as .xlsx or as CSV"
            raise SpecError.at(where, message)
    try:
        _check_width(file, where)
        dialect = dialect_of(file, given, where)
        table = _cells(file, dialect, where)
    except (pd.errors.ParserError, UnicodeError) as error:
        raise SpecError.at(where, f"is not a table: {_reason(file, error)}") from None
    return finished_table(table, where, given, dialect)


def _check_width(file: TextFile, where: Location) -> None:
    """Raise an error for more columns than are read, before their dialect is guessed."""
    with file.open() as stream:
        line = stream.readline(MAX_HEADER + 1)
    if len(line) > MAX_HEADER or max(map(line.count, SEPARATORS)) >= MAX_COLUMNS:
        raise SpecError.at(where, _TOO_WIDE)


def _reason(file: TextFile, error: Exception) -> str:
    with file.path.open("rb") as stream:
        if stream.read(len(_PARQUET)) == _PARQUET:
            return f"it is a Parquet file; write parquet: {file.path.name}"
    if isinstance(error, UnicodeError):
        return f"it is not {file.encoding} text; write encoding: cp1252, or what it is"
    return str(error).strip().replace("Error tokenizing data. C error: ", "")


def _cells(file: TextFile, dialect: Dialect, where: Location) -> "pd.DataFrame":
    """Return all cells as text, with the header as the first row."""
    import pandas as pd

    with file.open() as stream:
        for _ in range(dialect.skipped):
            stream.readline(MAX_HEADER)
        first = stream.readline(MAX_HEADER + 1)
        _check_first_line(first, dialect, file, where)
    with file.open() as stream:
        for _ in range(dialect.skipped):
            stream.readline(MAX_HEADER)
        table: pd.DataFrame = pd.read_csv(
            stream,
            sep=dialect.pandas_separator,
            dtype=str,
            keep_default_na=False,
            index_col=False,
            header=None,
            skip_blank_lines=False,
        )
    return table.fillna("")


def _check_first_line(line: str, dialect: Dialect, file: TextFile, where: Location) -> None:
    """Raise an error for a first line that is no header, or a table larger than the memory.

    pandas gives every line as many cells as the first line has.
    """
    columns = line.count(dialect.separator) + 1
    problem = None
    if not line:
        problem = "the file is empty"
    elif len(line) > MAX_HEADER or columns > MAX_COLUMNS:
        problem = _TOO_WIDE
    elif not line.strip():
        problem = "begins with a blank line; the first line must name the columns"
    elif excess := memory.excess(file.lines * columns * CELL_BYTES):
        problem = f"has about {file.lines * columns:,} cells, which take {excess}; write fewer rows"
        problem += ", or npy files, which stay on the disk"
    if problem:
        raise SpecError.at(where, problem)


def finished_table(
    cells: "pd.DataFrame", where: Location, given: TableFormat, dialect: Dialect | None = None
) -> Table:
    """Return a table with its header, without empty rows and columns at its end.

    Args:
        cells: text, with the header as the first row unless the spec gives one.
        where: the place in the spec for errors.
        given: the keys of the spec about its format.
        dialect: the dialect of the file, or None if it is not text.

    Raises:
        SpecError: if nothing is left, or the header of the spec does not fit.
    """
    raw, cells = cells, cells.apply(lambda column: column.str.strip())
    filled = (cells != "").to_numpy()
    rows = int(np.max(np.nonzero(filled.any(axis=1))[0], initial=-1)) + 1
    columns = int(np.max(np.nonzero(filled.any(axis=0))[0], initial=-1)) + 1
    left_out = (len(cells) - rows, len(cells.columns) - columns)
    cells = cells.iloc[:rows, :columns]
    skipped = dialect.skipped if dialect else 0
    if given.header is None:
        names, cells = [str(name) for name in cells.iloc[0]] if rows else [], cells.iloc[1:]
        skipped += 1
    else:
        names = list(given.header)
        if len(names) != columns:
            message = f"names {counted(len(names), 'column')}, and the file has {columns:,}"
            if columns == 1:
                message += '; write its separator, like separator: " " for blanks'
            raise SpecError.at(("data", "header"), message)
    if not len(cells):
        raise SpecError.at(where, "the file has a header but no rows" if rows else "has no rows")
    line = _line_of_row(raw.loc[cells.index], names, skipped)
    cells = cells.set_axis(names, axis=1).reset_index(drop=True)
    notices = [dialect.notice if dialect else None, _left_out(*left_out)]
    return Table(
        cells,
        where,
        line,
        decimal=dialect.decimal if dialect else given.mark,
        thousands=given.thousands,
        missing=frozenset(given.missing_values or ()),
        notices=tuple(filter(None, notices)),
        separator=dialect.separator if dialect else None,
    )


def _left_out(rows: int, columns: int) -> str | None:
    """Return a message about empty rows and columns; one empty row is the end of the last line."""
    parts = [counted(rows, "empty row")] if rows > 1 else []
    parts += [counted(columns, "empty column")] if columns else []
    return f"{' and '.join(parts)} at the end of the file left out" if parts else None


def _line_of_row(cells: "pd.DataFrame", names: Sequence[str], before: int) -> Callable[[int], str]:
    """Return a function that names the first line of a row (from 0); cells may hold line breaks.

    Args:
        cells: the rows.
        names: the names of the columns.
        before: the lines before the rows, if no name holds a line break.
    """
    first = before + 1 + sum(name.count("\n") for name in names) * (before > 0)

    def line(row: int) -> str:
        above = cells.iloc[:row]
        inside = sum(int(above.iloc[:, n].str.count("\n").sum()) for n in range(above.shape[1]))
        return f"line {first + row + inside}"

    return line
