"""A caveat, and the context that the caveat checks read."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.analysis.loading.load import Loaded


@dataclass(frozen=True)
class Caveat:
    """A reason not to conclude.

    Args:
        code: its code in the CSV, one word.
        message: its text for the user.
        runs: the runs concerned, as experiment/run.
        rows: the index of every row of the table concerned.
        column: the column in which the rows cannot be distinguished, or empty.
    """

    code: str
    message: str
    runs: tuple[str, ...]
    rows: tuple[Any, ...] = ()
    column: str = ""


def close_rows(caveats: Iterable[Caveat], column: str) -> set[Any]:
    """Return the rows that caveats do not distinguish from the best in a column."""
    return {row for caveat in caveats if caveat.column == column for row in caveat.rows}


def caveat_lines(caveats: Iterable[Caveat]) -> dict[str, str]:
    """Return one line for each code, with the messages of all its caveats."""
    messages: dict[str, list[str]] = {}
    for caveat in caveats:
        messages.setdefault(caveat.code, []).append(caveat.message)
    return {code: "; ".join(texts) for code, texts in messages.items()}


@dataclass(frozen=True)
class ComparisonContext:
    """The input of the caveat checks.

    Args:
        question: the question that the comparison answers.
        table: the rows of the comparison.
        runs: all runs, with the number of their row in `row`.
        chosen: the runs of the chosen settings.
        loaded: all runs, as they were read.
    """

    question: Question
    table: pd.DataFrame
    runs: pd.DataFrame
    chosen: pd.DataFrame
    loaded: Loaded

    @functools.cached_property
    def records(self) -> Mapping[str, Mapping[str, Any]]:
        """The records of the runs, by experiment/run."""
        return self.loaded.records

    def label(self, row: Any) -> str:
        """Return the label of a row: batch_size 16."""
        values = self.table.loc[row, list(self.question.by)]
        return ", ".join(f"{key} {_format(value)}" for key, value in values.items())

    def labels(self, rows: Sequence[Any]) -> str:
        """Return the label of several rows: batch_size 16, 32."""
        if len(self.question.by) == 1:
            values = self.table.loc[list(rows), self.question.by[0]]
            return f"{self.question.by[0]} {', '.join(map(_format, values))}"
        return "; ".join(self.label(row) for row in rows)

    def caveats_for(self, code: str, message: str, runs: pd.DataFrame) -> Iterator[Caveat]:
        """Yield one caveat about the rows of some runs; none without runs."""
        if len(runs):
            rows = tuple(sorted({int(row) for row in runs["row"]}))
            yield Caveat(code, f"{self.labels(rows)}: {message}", tuple(runs["run"]), rows)

    def close_to_best(
        self, code: str, message: str, column: str, best: Any, others: Sequence[Any]
    ) -> Caveat:
        """Return a caveat about rows that cannot be distinguished from the best in a column."""
        rows = sorted([best, *others])
        runs = self.chosen[self.chosen["row"].isin(rows)]["run"]
        return Caveat(code, message, tuple(runs), tuple(rows), column)


def _format(value: Any) -> str:
    """Format a value for people: 1,024 and 0.01."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:g}"
    return f"{int(value):,}" if isinstance(value, int | float | np.integer) else str(value)
