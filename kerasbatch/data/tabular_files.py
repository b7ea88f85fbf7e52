"""The readers of a user's table in a CSV or Parquet file."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.data import memory
from kerasbatch.data.table import Table
from kerasbatch.errors import Location, SpecError
from kerasbatch.text import shortened

if TYPE_CHECKING:
    import pandas as pd

PART_BYTES = 2**24
CSV_CELL_BYTES = 60
"""The memory of a cell while a CSV file is read: its text, and its number."""
PARQUET_COPIES = 5
"""The copies of a Parquet table in memory while it is encoded."""
PARQUET_CELL_BYTES = 8 * PARQUET_COPIES
PARQUET_ROWS = 10_000
"""The rows that are unpacked at a time."""
_ADVICE = "write fewer rows, or npy files, which stay on the disk"
MAX_COLUMNS = 100_000
MAX_HEADER = 10_000_000
"""The maximum number of characters in the first line of a file."""


def read_csv(path: Path, where: Location) -> Table:
    """Read a CSV file as text cells.

    Args:
        path: the file.
        where: the place in the spec for errors.

    Raises:
        SpecError: if it is not a table with a header and rows.
    """
    import pandas as pd

    _check_csv_size(path, where)
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
    last = int(np.max(np.nonzero(filled)[0], initial=0))  # blank lines at the end are not rows
    header = [str(name).strip() for name in table.iloc[0]]
    table = table.iloc[1 : last + 1].set_axis(header, axis=1)
    if not len(table):
        raise SpecError.at(where, "the file has a header but no rows")
    if len(set(header)) < len(header):
        raise SpecError.at(where, "two columns of the file have the same name")
    cells = table.fillna("").apply(lambda column: column.str.strip()).reset_index(drop=True)
    return Table(cells, where, _lines(table))


def _check_csv_size(path: Path, where: Location) -> None:
    """Raise an error for a file whose cells would not fit into memory, before it is read.

    pandas gives every line as many cells as the first line has.
    """
    lines = 1
    try:
        with path.open("rb") as stream:
            columns = stream.readline(MAX_HEADER).count(b",") + 1
            while part := stream.read(PART_BYTES):
                lines += part.count(b"\n")
            size = stream.tell()
    except OSError as error:
        raise SpecError.at(where, f"cannot be read: {error.strerror}") from None
    cells = lines * columns
    if problem := memory.excess(max(cells * CSV_CELL_BYTES, 2 * size)):
        message = f"has about {cells:,} cells, which take {problem}; {_ADVICE}"
        raise SpecError.at(where, message)


def _check_header(line: str, where: Location) -> None:
    """Raise an error for a first line that is not a header, before the whole file is read."""
    problem = None
    if len(line) > MAX_HEADER or line.count(",") >= MAX_COLUMNS:
        problem = f"has more than {MAX_COLUMNS:,} columns, or no end of its first line"
    elif line and not line.strip():
        problem = "begins with a blank line; the first line must name the columns"
    if problem:
        raise SpecError.at(where, problem)


def _lines(table: "pd.DataFrame") -> Callable[[int], str]:
    """Return a function that names the first line of a row (from 0); cells may hold line breaks."""

    def line(row: int) -> str:
        above = table.iloc[:row]
        inside = sum(int(above[name].str.count("\n").sum()) for name in above.columns)
        return f"line {row + 2 + inside + sum(name.count(chr(10)) for name in table.columns)}"

    return line


_UNSUPPORTED = (complex, bytes)


def read_parquet(path: Path, where: Location) -> Table:
    """Read a Parquet file: numbers as float64, other values as text cells.

    Args:
        path: the file.
        where: the place in the spec for errors.

    Raises:
        SpecError: if it is not a Parquet file, or pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        message = "Parquet files are read by pyarrow; write pip install 'kerasbatch[parquet]'"
        raise SpecError.at(where, message)
    try:
        table = _parquet_table(path, where)
    except SpecError:
        raise
    except Exception as error:  # a damaged or forged file raises any type
        reason = type(error).__name__
        raise SpecError.at(where, f"is not a readable Parquet file ({reason})") from None
    if not len(table) or not len(table.columns):
        raise SpecError.at(where, "the file has no rows or no columns")
    table = table.reset_index() if table.index.name is not None else table
    cells = typed_cells(table, where, [str(name) for name in table.columns])
    return Table(cells, where, lambda row: f"row {row + 1}")


def _parquet_table(path: Path, where: Location) -> "pd.DataFrame":
    """Read a Parquet file in parts, until they take too much memory."""
    import pyarrow
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        cells = file.metadata.num_rows * file.metadata.num_columns
        _check_parquet_size(cells * PARQUET_CELL_BYTES, file.metadata.num_rows, where)
        parts, size = [], 0
        for part in file.iter_batches(PARQUET_ROWS):
            parts.append(part)
            size += part.nbytes
            _check_parquet_size(size * PARQUET_COPIES, file.metadata.num_rows, where)
        table: pd.DataFrame = pyarrow.Table.from_batches(parts, file.schema_arrow).to_pandas()
        return table


def _check_parquet_size(size: int, rows: int, where: Location) -> None:
    if problem := memory.excess(size):
        raise SpecError.at(where, f"has {rows:,} rows, which take {problem}; {_ADVICE}")


def typed_cells(table: "pd.DataFrame", where: Location, required: Sequence[str]) -> "pd.DataFrame":
    """Return the required columns of a table as float64, or as text without blanks around it.

    The others are empty; their names are kept for suggestions about misspelt names.

    Raises:
        SpecError: if a required column occurs twice, or holds neither numbers nor text.
    """
    import pandas as pd

    names = [str(name) for name in table.columns]
    if repeated := [name for name in required if names.count(name) > 1]:
        raise SpecError.at(where, f"two columns have the name {shortened(repeated[0], 60)}")
    columns = {
        name: _typed_column(table.iloc[:, number], where) if name in required else ""
        for number, name in enumerate(names)
    }
    return pd.DataFrame(columns, index=range(len(table)))


def _typed_column(column: "pd.Series[Any]", where: Location) -> "pd.Series[Any]":
    """Return a column of numbers as float64, any other column as text; "" is a missing cell."""
    import pandas as pd

    kind = pd.api.types
    is_number = kind.is_numeric_dtype(column) and not kind.is_bool_dtype(column)
    plain = column.reset_index(drop=True)
    if is_number and not kind.is_complex_dtype(column):
        return plain.astype("Float64").astype("float64")
    unsupported = plain.dropna().map(
        lambda cell: isinstance(cell, _UNSUPPORTED) or kind.is_list_like(cell)
    )
    if unsupported.any():
        message = f"column {shortened(str(column.name), 60)!r} holds neither numbers nor text"
        raise SpecError.at(where, message)
    return plain.astype(object).where(plain.notna(), "").map(str).str.strip()
