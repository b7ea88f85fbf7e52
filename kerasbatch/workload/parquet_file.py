"""A user's own table in a Parquet file, read by pandas where pyarrow is there."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.errors import Location, SpecError
from kerasbatch.workload.table import Table

if TYPE_CHECKING:
    import pandas as pd


def read(path: Path, where: Location) -> Table:
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
    return Table(cells(table), where, lambda row: f"row {row + 1}")


def cells(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table whose columns are float64, or text without blanks around it."""
    import pandas as pd

    return pd.DataFrame({str(name): _cells(table[name]) for name in table.columns})


def _cells(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column of numbers as float64, another one as text; "" is a missing cell."""
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    plain = column.reset_index(drop=True)
    if is_number:
        return plain.astype("Float64").astype("float64")
    return plain.astype(object).where(plain.notna(), "").map(str).str.strip()
