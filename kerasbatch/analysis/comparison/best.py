"""The best row of a comparison in every cost, with the rows that cannot be told from it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.columns import COST_COLUMNS
from kerasbatch.spec import keras_registry


@dataclass(frozen=True)
class Best:
    """The best row in a column.

    Args:
        column: the column that decides.
        row: the index of the row in the table; the first of equal ones.
        equal: the rows with the same value.
        close: other rows that cannot be distinguished from it, according to the caveats.
    """

    column: str
    row: Any
    equal: tuple[Any, ...] = ()
    close: tuple[Any, ...] = ()

    @property
    def winners(self) -> tuple[Any, ...]:
        """The rows with the best value."""
        return tuple(sorted((self.row, *self.equal)))

    def with_close(self, rows: Collection[Any]) -> "Best":
        """Return the same row with the rows that cannot be distinguished from it."""
        return replace(self, close=tuple(sorted(set(rows) - set(self.winners))))

    @property
    def ties(self) -> tuple[Any, ...]:
        """All rows that cannot be distinguished from the best."""
        return tuple(sorted((*self.equal, *self.close)))


def best_rows(
    table: pd.DataFrame, chosen: pd.DataFrame, question: Question
) -> Iterator[tuple[str, Best]]:
    """Yield the best row by steps, by examples and by seconds, or else by the judged metric.

    Args:
        table: the rows.
        chosen: the runs that they summarize.
        question: the question of the comparison.
    """
    rows = candidates(table, chosen, question)
    for name, column, lower in _criteria(question):
        values = rows[column].dropna()
        if len(values):
            best = values.min() if lower else values.max()
            first, *equal = (row for row in values.index if values[row] == best)
            yield name, Best(column, first, tuple(equal))


def _criteria(question: Question) -> Iterator[tuple[str, str, bool]]:
    """Yield the name of every criterion, its column, and whether lower values are better."""
    if question.target is not None:
        yield from ((name, f"{name}_to_target", True) for name in COST_COLUMNS)
    elif question.judged is not None:
        yield question.judged, question.judged, keras_registry.lower_is_better(question.judged)


def candidates(table: pd.DataFrame, chosen: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return the rows that may be the best: those that reached the target, or learned something.

    Args:
        table: the rows.
        chosen: the runs that they summarize.
        question: the question of the comparison.
    """
    if question.target is not None:
        return contenders(table)
    share = chosen.groupby(list(question.by), dropna=False, sort=True)["learned"].mean()
    rows: pd.DataFrame = table[share.to_numpy() > 0.5]
    return rows


def contenders(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the largest share of seeds that reached the target."""
    share = table["reached"] / table["seeds"]
    rows: pd.DataFrame = table[(share == share.max()) & (share > 0)]
    return rows


def best_values(best: Best, table: pd.DataFrame, by: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a best row, its value, and the keys of the rows that tie with it."""
    rows: list[Any] = table.loc[[best.row, *best.ties], [*by, best.column]].to_dict("records")
    first, *others = rows
    ties = [{key: row[key] for key in by} for row in others]
    return {**first, "ties": [tie[by[0]] for tie in ties] if len(by) == 1 else ties}
