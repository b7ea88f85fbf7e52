"""The tables of a report, cell by cell: what is read, and what is sorted by."""

from dataclasses import dataclass
from typing import Any

from kerasbatch.analysis import comparison_text
from kerasbatch.analysis.compare import Comparison
from kerasbatch.analysis.loaded import Loaded

MAX_ROWS = 2000
"""Runs that are listed at the most."""
RUN_COLUMNS = (
    *("run_id", "status", "batch_size", "learning_rate", "seed", "engine"),
    *("planned_steps", "observed_steps", "document_steps", "step_check", "train_seconds"),
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text: what is read.
        value: what is sorted by: a number, a text, or None for an empty cell, which comes last.
    """

    text: str
    value: float | str | None


@dataclass(frozen=True)
class Table:
    """A table that can be sorted."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """The head of every column, and whether it is one of numbers."""
        kinds = (
            any(isinstance(row[number].value, float) for row in self.rows)
            for number in range(len(self.heads))
        )
        return list(zip(self.heads, kinds, strict=True))


def comparison(found: Comparison) -> Table:
    """Return the table of a comparison."""
    names = list(comparison_text.columns(found))
    rows = tuple(
        tuple(Cell(comparison_text.cell(name, row), _value(row[name])) for name in names)
        for row in found.table.to_dict("records")
    )
    return Table(tuple(comparison_text.head(name) for name in names), rows)


def _value(value: Any) -> float | str | None:
    if value is None or value != value or value == "":
        return None
    return value if isinstance(value, str) else float(value)


def runs(loaded: Loaded) -> Table:
    """Return a row for each run."""
    table = loaded.runs
    rows = tuple(
        tuple(Cell(_plain(row[name]), _value(row[name])) for name in RUN_COLUMNS)
        for row in table.head(MAX_ROWS).to_dict("records")
    )
    heads = [name.replace("_", " ") for name in RUN_COLUMNS]
    heads[RUN_COLUMNS.index("document_steps")] = "s = n*e/b"
    return Table(tuple(heads), rows, max(0, len(table) - MAX_ROWS))


def _plain(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.6g}"
