"""How a comparison looks in a terminal: a table, who was best at what, what stands against it."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kerasbatch.analysis.comparison.text import cell, criteria, fit_lines, heading, shown_columns

if TYPE_CHECKING:
    import pandas as pd

    from kerasbatch.analysis.comparison.compare import Comparison


def comparison_table(found: "Comparison") -> Table:
    """Return one line per row; of a metric its median, and its range over seeds."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    columns = [name for name in shown_columns(found) if name not in ("runs", "caveats")]
    for name in columns:
        shown.add_column(heading(name), justify="right", no_wrap=True)
    shown.add_column("caveats", no_wrap=True)
    for row in found.table.to_dict("records"):
        cells = [cell(name, row) for name in columns]
        shown.add_row(*cells, str(row["caveats"]).replace(";", " "))
    return shown


def comparison_lines(found: "Comparison") -> Iterator[Text]:
    """Yield what stands beneath the table."""
    question = found.question
    yield Text(f"\n{criteria(found)}", style="dim")
    for name, row in found.best.items():
        told = ", ".join(f"{key} {cell(key, dict(row))}" for key in question.by)
        taken = cell(f"{name}_to_target", dict(row))
        yield Text(f"best by {name}: {told} ({taken} to the target)", style="bold")
    if question.target and not found.best:
        yield Text("no row reached the target", style="bold")
    for caveat in found.caveats:
        yield Text.assemble((f"{caveat.code}: ", "yellow"), caveat.message)
    if found.fit is not None:
        yield from map(Text, fit_lines(found.fit))


def frame_table(values: "pd.DataFrame") -> Table:
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
