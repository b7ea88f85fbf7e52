"""The tables of a report: the text of every cell, and the value to sort it by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.question import metric_columns as comparison_metrics
from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.comparison.text.cells import cell, heading, shown_columns
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.columns import RUN_KEYS

HEADS = {"document_steps": "s = n*e/b"}
MAX_ROWS = 2000
"""The largest number of runs that are listed."""
RUN_COLUMNS = (
    *("run_id", "status", "batch_size", "learning_rate", "seed", "engine"),
    *("planned_steps", "observed_steps", "document_steps", "step_check", "train_seconds"),
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text: the text that is shown.
        value: the sort key: a number, a text, or None for an empty cell, which comes last.
        range: the range over seeds, shown below in small print; or empty.
    """

    text: str
    value: float | str | None
    range: str = ""


@dataclass(frozen=True)
class ReportTable:
    """A table that can be sorted.

    Args:
        heads: the heads of the columns.
        rows: the cells, row by row.
        left_out: the number of rows that are not shown.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """The head of every column, and whether the column holds numbers."""
        kinds = (
            any(isinstance(row[number].value, float) for row in self.rows)
            for number in range(len(self.heads))
        )
        return list(zip(self.heads, kinds, strict=True))


def comparison_table(comparison: Comparison) -> ReportTable:
    """Return the table of a comparison, with ranges over seeds below their medians."""
    names = list(shown_columns(comparison))
    rows = tuple(
        tuple(_comparison_cell(name, row) for name in names)
        for row in comparison.table.to_dict("records")
    )
    heads = (heading(name).replace("_", " ") for name in names)
    return ReportTable(tuple(heads), rows)


def _comparison_cell(name: str, row: Mapping[Any, Any]) -> Cell:
    if name == "caveats":
        return Cell(row[name].replace(";", ", "), row[name])
    return _split_range(cell(name, row), row[name])


def _split_range(text: str, value: Any) -> Cell:
    median, bracket, rest = text.partition(" (")
    return Cell(median, _sort_key(value), bracket.strip() + rest)


def _sort_key(value: Any) -> float | str | None:
    if value is None or value != value or value == "":
        return None
    return value if isinstance(value, str) else float(value)


def runs_table(loaded: Loaded) -> ReportTable:
    """Return a table with a row for each run, sorted by batch size."""
    table = loaded.runs.sort_values(["batch_size", "seed", RUN_KEYS[1]], kind="stable")
    metrics = [name for name in comparison_metrics(table) if not name.startswith("test_")]
    to_target = ["steps_to_target"] if table.get("target", pd.Series()).notna().any() else []
    names = [*RUN_COLUMNS, *to_target, *metrics]
    rows = tuple(
        tuple(Cell(_format(row[name]), _sort_key(row[name])) for name in names)
        for row in table.head(MAX_ROWS).to_dict("records")
    )
    heads = [HEADS.get(name, name.replace("_", " ")) for name in names]
    return ReportTable(tuple(heads), rows, max(0, len(table) - MAX_ROWS))


def _format(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.6g}"
