"""The columns of a table beside the examples and the target: texts, groups, time."""

from collections.abc import Mapping

from kerasbatch.data.tables.conversion import texts
from kerasbatch.data.tables.table import Table
from kerasbatch.data.windows import Window
from kerasbatch.spec.data_schema import TableData
from kerasbatch.types import Array


def window_of(data: TableData) -> Window | None:
    """Return the windows of a series in time, or None."""
    if data.time is None or data.window is None:
        return None
    return Window(data.window, data.horizon or 1, data.time)


def groups_of(table: Table, column: str) -> Array:
    """Return the group of each row."""
    filled = table.filled(column, text=True)
    if not filled.all():
        raise table.fault(column, ~filled, "an empty cell", "every row needs its group")
    return table.words(column).to_numpy(dtype=str)


def texts_of(tables: Mapping[str, Table], column: str) -> dict[str, Array]:
    """Return the texts of each part; an empty cell is an empty text."""
    return {
        part: texts(table, column, allow_missing=True).to_numpy(dtype=object)
        for part, table in tables.items()
    }
