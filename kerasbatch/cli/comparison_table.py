"""How a comparison looks in a terminal: a table, who was best at what, what stands against it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from kerasbatch.analysis import comparison_text

if TYPE_CHECKING:
    from kerasbatch.analysis.compare import Comparison


def table(found: "Comparison") -> Table:
    """Return one line per row; of a metric its median, and its range over seeds."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    columns = [name for name in comparison_text.columns(found) if name not in ("runs", "caveats")]
    for name in columns:
        shown.add_column(comparison_text.head(name), justify="right", no_wrap=True)
    shown.add_column("caveats", no_wrap=True)
    for row in found.table.to_dict("records"):
        cells = [comparison_text.cell(name, row) for name in columns]
        shown.add_row(*cells, str(row["caveats"]).replace(";", " "))
    return shown


def lines(found: "Comparison") -> Iterator[Text]:
    """Yield what stands beneath the table."""
    question = found.question
    yield Text(f"\n{comparison_text.how(found)}", style="dim")
    for name, row in found.best.items():
        told = ", ".join(f"{key} {comparison_text.cell(key, dict(row))}" for key in question.by)
        taken = comparison_text.cell(f"{name}_to_target", dict(row))
        yield Text(f"best by {name}: {told} ({taken} to the target)", style="bold")
    if question.goal and not found.best:
        yield Text("no row reached the target", style="bold")
    for caveat in found.caveats:
        yield Text.assemble((f"{caveat.code}: ", "yellow"), caveat.message)
    if found.fit is not None:
        yield from map(Text, comparison_text.fit_lines(found.fit))
