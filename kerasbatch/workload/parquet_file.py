"""A user's own table in a Parquet file, read by pandas where pyarrow is there."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.errors import Location, SpecError, shortened
from kerasbatch.workload.table import Table

if TYPE_CHECKING:
    import pandas as pd

_ODD = (complex, bytes)


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
    table = table.reset_index() if table.index.name is not None else table
    whole = cells(table, where, [str(name) for name in table.columns])
    return Table(whole, where, lambda row: f"row {row + 1}")


def cells(table: "pd.DataFrame", where: Location, wanted: Sequence[str]) -> "pd.DataFrame":
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
        name: _cells(table.iloc[:, number], where) if name in wanted else ""
        for number, name in enumerate(names)
    }
    return pd.DataFrame(found, index=range(len(table)))


def _cells(column: "pd.Series[Any]", where: Location) -> "pd.Series[Any]":
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
