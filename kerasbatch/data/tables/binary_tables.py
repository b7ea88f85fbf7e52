"""The readers of tables in Parquet and Excel files, and of DataFrames."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.data import memory
from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.text_table import finished_table
from kerasbatch.errors import Location, SpecError
from kerasbatch.text import shortened

if TYPE_CHECKING:
    import pandas as pd

PARQUET_COPIES = 5
"""The copies of a Parquet table in memory while it is encoded."""
PARQUET_CELL_BYTES = 8 * PARQUET_COPIES
PARQUET_ROWS = 10_000
"""The rows that are unpacked at a time."""
EXCEL_COPIES = 20
"""The memory of an Excel table while it is read, in terms of its unpacked text."""
EXCEL = b"PK"
_ADVICE = "write fewer rows, or npy files, which stay on the disk"
_UNSUPPORTED = (complex, bytes)


def read_parquet(path: Path, where: Location, given: TableFormat) -> Table:
    """Read a Parquet file: numbers as float64, other values as text cells.

    Args:
        path: the file.
        where: the place in the spec for errors.
        given: the keys of the spec about its format.

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
    missing = frozenset(given.missing_values or ())
    return Table(cells, where, lambda row: f"row {row + 1}", missing=missing, decimal=given.mark)


def is_excel(path: Path) -> bool:
    """Return whether a file is one of Excel's, by its ending and its first bytes."""
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        return False
    with path.open("rb") as stream:
        return stream.read(len(EXCEL)) == EXCEL


def read_excel(path: Path, where: Location, given: TableFormat) -> Table:
    """Read the first sheet of an Excel file.

    Args:
        path: the file.
        where: the place in the spec for errors.
        given: the keys of the spec about its format.

    Raises:
        SpecError: if it is not an Excel file, or openpyxl is not installed.
    """
    import zipfile

    import pandas as pd

    if find_spec("openpyxl") is None:
        message = "Excel files are read by openpyxl; write pip install 'kerasbatch[excel]'"
        raise SpecError.at(where, message)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if problem := memory.excess(size * EXCEL_COPIES):
            raise SpecError.at(where, f"unpacks to {size / 1e9:.1f} GB; it takes {problem}")
        sheet = pd.read_excel(
            path, header=None, dtype=object, engine="openpyxl", keep_default_na=False, na_values=[]
        )
    except SpecError:
        raise
    except Exception as error:  # a damaged or forged file raises any type
        reason = type(error).__name__
        raise SpecError.at(where, f"is not a readable Excel file ({reason})") from None
    cells = sheet.astype(object).where(sheet.notna(), "").map(_excel_text)
    return finished_table(cells, where, given)


def _excel_text(cell: Any) -> str:
    """Return a cell as text; a date without a time as Excel shows it."""
    is_whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell)) if is_whole else str(cell).removesuffix(" 00:00:00")


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
