"""Terminal output of comparisons: the table, the best rows and the caveats."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kerasbatch.analysis.comparison.caveats.caveat import caveat_lines
from kerasbatch.analysis.comparison.text.cells import (
    cell,
    criteria,
    fit_lines,
    heading,
    shown_columns,
    unfinished_lines,
)
from kerasbatch.analysis.comparison.text.labels import join, row_values

if TYPE_CHECKING:
    import pandas as pd

    from kerasbatch.analysis.comparison.best import Best
    from kerasbatch.analysis.comparison.result import Comparison


def comparison_table(comparison: "Comparison") -> Table:
    """Return one line per row; a metric is its median, with its range over seeds."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = [name for name in shown_columns(comparison) if name not in ("runs", "caveats")]
    for name in columns:
        table.add_column(heading(name), justify="right", no_wrap=True)
    table.add_column("caveats", no_wrap=True)
    for row in comparison.table.to_dict("records"):
        cells = [cell(name, row) for name in columns]
        table.add_row(*cells, str(row["caveats"]).replace(";", " "))
    return table


def comparison_lines(comparison: "Comparison") -> Iterator[Text]:
    """Yield the lines below the table."""
    question = comparison.question
    yield Text(f"\n{criteria(comparison)}", style="dim")
    for name, best in comparison.ranking.items():
        row = dict(comparison.table.loc[best.row])
        values = ", ".join(f"{key} {cell(key, row)}" for key in question.by)
        to_target = " to the target" if question.target else ""
        ties = _ties(comparison, best)
        yield Text(f"best by {name}: {values} ({cell(best.column, row)}{to_target}){ties}")
    if question.target and not comparison.best:
        yield Text("no row reached the target", style="bold")
    for code, message in caveat_lines(comparison.caveats).items():
        yield Text.assemble((f"{code}: ", "yellow"), message)
    for line in unfinished_lines(comparison):
        yield Text.assemble(("unfinished: ", "yellow"), line)
    if comparison.fit is not None:
        yield from map(Text, fit_lines(comparison.fit))
    yield Text(f"\n{comparison.recommendation}", style="bold")


def _ties(comparison: "Comparison", best: "Best") -> str:
    if not best.ties:
        return ""
    values = [row_values(comparison.table, comparison.question, row) for row in best.ties]
    return f"; {join(values)} cannot be told from it"


def frame_table(frame: "pd.DataFrame") -> Table:
    """Return a data frame as a table, with spaces for the underscores of column names."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in frame.columns:
        table.add_column(str(name).replace("_", " "), justify="right")
    for row in frame.itertuples(index=False):
        table.add_row(*_cells(row))
    return table


def _cells(row: Any) -> Iterator[str]:
    for value in row:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            yield ""
        elif isinstance(value, str):
            yield value
        else:
            yield f"{value:,.0f}" if value >= 100 or value % 1 == 0 else f"{value:.3g}"
