"""How a comparison looks in a terminal: a table, who was best at what, what stands against it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kerasbatch.cli.tables import measured
from kerasbatch.errors import counted

if TYPE_CHECKING:
    from kerasbatch.analysis.compare import Comparison

COUNTS = ("runs", "seeds", "reached", "unknown", "steps_to_target", "examples_to_target")
LEFT_OUT = ("peak_memory_mb", "examples_per_second", "unknown")
"""Columns of the CSV that the terminal has no room for, unless they say something."""


def table(found: "Comparison") -> Table:
    """Return one line per row; of a metric its median, and its range over seeds."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    columns = [name for name in _columns(found) if name not in ("runs", "caveats")]
    for name in columns:
        shown.add_column(_head(name), justify="right", no_wrap=True)
    shown.add_column("caveats", no_wrap=True)
    for row in found.table.to_dict("records"):
        cells = [_cell(name, row) for name in columns]
        shown.add_row(*cells, str(row["caveats"]).replace(";", " "))
    return shown


def _columns(found: "Comparison") -> Iterator[str]:
    goal, table = found.question.goal, found.table
    for name in map(str, table.columns):
        about_target = name.endswith("_to_target") or name in ("reached", "unknown")
        if about_target and goal is None:
            continue
        if name.endswith(("_low", "_high")):
            continue
        if name in LEFT_OUT and not (name == "unknown" and table[name].any()):
            continue
        yield name


def _head(name: str) -> str:
    return name.replace("_to_target", "").replace("steps_per_second", "steps/s")


def _cell(name: str, row: dict[Any, Any]) -> str:
    value = row[name]
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if name in COUNTS or float(value).is_integer():
        return f"{value:,.0f}"
    if name == "steps_per_second":
        return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
    if f"{name}_low" in row and row["seeds"] > 1:
        return f"{measured(value)} ({measured(row[f'{name}_low'])}-{measured(row[f'{name}_high'])})"
    return f"{value:g}" if name.endswith("rate") else measured(value)


def lines(found: "Comparison") -> Iterator[Text]:
    """Yield what stands beneath the table."""
    question = found.question
    judged = f"target {question.goal}" if question.goal else f"judged by {question.judged}"
    rates = ", ".join(question.tuned)
    yield Text(f"\n{judged}; {rates} chosen for each row", style="dim")
    for name, row in found.best.items():
        told = ", ".join(f"{key} {_cell(key, dict(row))}" for key in question.by)
        taken = _cell(f"{name}_to_target", dict(row))
        yield Text(f"best by {name}: {told} ({taken} to the target)", style="bold")
    if question.goal and not found.best:
        yield Text("no row reached the target", style="bold")
    for caveat in found.caveats:
        yield Text.assemble((f"{caveat.code}: ", "yellow"), caveat.message)
    if found.fit is not None:
        yield from _fit(found.fit)


def _fit(fit: Any) -> Iterator[Text]:
    if hasattr(fit, "reason"):
        yield Text(f"no curve through the steps: {fit.reason}")
        return
    yield Text(
        f"S = S_min (1 + B_crit / b): S_min {fit.s_min:,.1f} steps, B_crit {fit.b_crit:,.0f} "
        f"(95 % interval {fit.low:,.0f} to {fit.high:,.0f}), residual {fit.residual:.2f} octaves"
    )
    for regime in ("perfect scaling", "diminishing returns", "maximal"):
        sizes = [size for size, name in fit.regimes.items() if name == regime]
        if sizes:
            yield Text(f"  {regime}: {', '.join(f'{size:,}' for size in sizes)}")
    yield Text(f"  ({counted(len(fit.regimes), 'size')} reached the target)", style="dim")
