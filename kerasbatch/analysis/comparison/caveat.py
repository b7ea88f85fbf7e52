"""What caveats look at, and what they say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.selection import Question


@dataclass(frozen=True)
class Caveat:
    """A reason not to conclude.

    Args:
        code: one word for it, as the CSV has it.
        message: the same for a person.
        runs: the runs concerned, as experiment/run.
        rows: the rows of the table concerned, by their numbers.
        column: the column in which rows cannot be told apart, or empty.
    """

    code: str
    message: str
    runs: tuple[str, ...]
    rows: tuple[Any, ...] = ()
    column: str = ""


@dataclass(frozen=True)
class ComparisonContext:
    """What caveats look at.

    Args:
        question: what was asked.
        table: the rows of the comparison.
        runs: all runs, with the number of their row in `row`.
        chosen: those of the chosen settings.
        records: their records, by experiment/run.
    """

    question: Question
    table: pd.DataFrame
    runs: pd.DataFrame
    chosen: pd.DataFrame
    records: Mapping[str, Mapping[str, Any]]

    def label(self, row: Any) -> str:
        """Return a row as a person calls it: batch_size 16."""
        values = self.table.loc[row, list(self.question.by)]
        return ", ".join(f"{key} {_plain(value)}" for key, value in values.items())

    def labels(self, rows: Sequence[Any]) -> str:
        """Return rows as a person calls them."""
        if len(self.question.by) == 1:
            values = self.table.loc[list(rows), self.question.by[0]]
            return f"{self.question.by[0]} {', '.join(map(_plain, values))}"
        return "; ".join(self.label(row) for row in rows)

    def over(self, code: str, what: str, concerned: pd.DataFrame) -> Iterator[Caveat]:
        """Yield a caveat of the rows that some runs belong to, if there are any."""
        if len(concerned):
            rows = tuple(sorted({int(row) for row in concerned["row"]}))
            yield Caveat(code, f"{self.labels(rows)}: {what}", tuple(concerned["run"]), rows)

    def against(
        self, code: str, message: str, column: str, best: Any, others: Sequence[Any]
    ) -> Caveat:
        """Return a caveat of rows that cannot be told from the best one in a column."""
        rows = sorted([best, *others])
        runs = self.chosen[self.chosen["row"].isin(rows)]["run"]
        return Caveat(code, message, tuple(runs), tuple(rows), column)


def _plain(value: Any) -> str:
    """Write a value as a person does: 1,024 and 0.01."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:g}"
    return f"{int(value):,}" if isinstance(value, int | float | np.integer) else str(value)
