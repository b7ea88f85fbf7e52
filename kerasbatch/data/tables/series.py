"""Tables in the order of time."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kerasbatch.data.tables.dates import times_of
from kerasbatch.data.tables.table import Table
from kerasbatch.text import counted
from kerasbatch.types import Array

SAME = 1e-6
"""The share of the usual distance by which two distances may differ."""


def in_order(table: Table, time: str) -> tuple[Table, list[str]]:
    """Return a table in the order of a column of time, and messages about it.

    Raises:
        SpecError: if the column is no time.
    """
    times = times_of(table, time)
    order = np.argsort(times, kind="stable")
    unit = "" if table.number_column(time).is_number.all() else " seconds"
    notices = list(_notices(times[order], time, unit))
    if (order == np.arange(len(order))).all():
        return table, notices
    notices.insert(0, f"the rows are sorted by {time}")
    cells = table.cells.iloc[order].reset_index(drop=True)
    return replace(table, cells=cells, line=lambda row: table.line(int(order[row]))), notices


def _notices(times: Array, time: str, unit: str) -> Iterator[str]:
    """Yield messages about times that occur twice, and about gaps."""
    distances = np.diff(times)
    if repeated := int((distances == 0).sum()):
        yield f"{counted(repeated, 'row')} with the {time} of the row before"
    positive = distances[distances > 0]
    if not len(positive):
        return
    usual = float(np.median(positive))
    if gaps := int((positive > usual * (1 + SAME)).sum()):
        yield (
            f"{counted(gaps, 'gap')} in {time}, where the distance is more than the usual one "
            f"({usual:g}{unit}); windows go across them"
        )
