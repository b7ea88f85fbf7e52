"""A DataFrame in a terminal: numbers to three digits, nothing where nothing was measured."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd


def table(values: "pd.DataFrame") -> Table:
    """Return the rows of a DataFrame as a table; names without their underscores."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in values.columns:
        shown.add_column(str(name).replace("_", " "), justify="right")
    for row in values.itertuples(index=False):
        shown.add_row(*_cells(row))
    return shown


def _cells(row: Any) -> Iterator[str]:
    for value in row:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            yield ""
        elif isinstance(value, str):
            yield value
        else:
            yield f"{value:,.0f}" if value >= 100 or value % 1 == 0 else f"{value:.3g}"
