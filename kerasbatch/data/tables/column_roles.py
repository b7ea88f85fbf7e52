"""The roles of the columns of a table: numbers or words, and what is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasbatch.data.tables.dates import DATE
from kerasbatch.data.tables.table import Table
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.data_schema import TableData
from kerasbatch.text import show_value

MAX_WORDS = 30
"""The different words of a column of text that are encoded without being asked for."""
MAX_CATEGORIES = 1000
"""The different words of a categorical column; each becomes a column for the model."""
MIN_NAMES, NAMES_SHARE = 6, 0.9
"""From this number on, a column whose words are different in this share of its rows holds names."""


@dataclass(frozen=True)
class ColumnRoles:
    """The columns that the model learns from.

    Args:
        names: their names, in their order.
        words: those of words.
        units: the units of those of numbers, by name, where they have one.
        notices: messages for the user.
        faults: the faults of columns that cannot be used.
        bad: the names of these columns.
    """

    names: tuple[str, ...]
    words: tuple[str, ...]
    units: Mapping[str, str]
    notices: tuple[str, ...]
    faults: tuple[Fault, ...]
    bad: tuple[str, ...]


def index_columns(data: TableData, table: Table) -> tuple[list[str], list[str]]:
    """Return the names of columns that number the rows, and a notice about one without a name."""
    names = [str(name) for name in table.cells.columns]
    if data.index is not None:
        if isinstance(data.index, int) and data.index >= len(names):
            message = f"found {data.index}; {table.called} has columns 0 to {len(names) - 1}"
            raise SpecError.at(("data", "index"), message)
        index = names[data.index] if isinstance(data.index, int) else data.index
        return [index], []
    if "" in names and names.count("") == 1 and _counts_rows(table, ""):
        notice = "a column without a name counts the rows, and is left out as the index"
        return [""], [notice]
    return [], []


def roles(data: TableData, table: Table, columns: Sequence[str]) -> ColumnRoles:
    """Return the roles of the columns of the training table.

    Args:
        data: the keys of the spec.
        table: the table.
        columns: the columns to use.
    """
    words, bad, notices = list[str](), list[str](), list[str]()
    units, faults = dict[str, str](), list[Fault]()
    for name in columns:
        column, filled = table.number_column(name), table.filled(name)
        if name in (data.categorical or ()):
            words.append(name)
        elif column.is_number.any():
            if column.unit and column.is_number[filled].all():
                units[name] = column.unit
            if not data.columns and _counts_rows(table, name):
                notices.append(f"{name} counts the rows; if it is an id, write exclude: [{name}]")
            continue
        elif table.filled(name, text=True).any():
            words.append(name)
        if name in words and (problem := _problem(data, table, name)):
            bad.append(name)
            faults.append(Fault(table.where, f"column {show_value(name)} {problem}"))
    if units:
        shown = ", ".join(f"{name} ({unit})" for name, unit in units.items())
        notices.append(f"read as numbers: {shown}")
    return ColumnRoles(
        tuple(columns), tuple(words), units, tuple(notices), tuple(faults), tuple(bad)
    )


def _counts_rows(table: Table, name: str) -> bool:
    """Return whether a column holds whole numbers that grow by 1 from row to row."""
    values = table.number_column(name).values
    is_whole = len(values) > MIN_NAMES and bool((values == np.round(values)).all())
    return is_whole and bool((np.diff(values) == 1).all())


def _problem(data: TableData, table: Table, name: str) -> str | None:
    """Return why a column of words cannot be used as it is, with what to write, or None."""
    cells = table.words(name)[table.filled(name, text=True)]
    count, exclude = cells.nunique(), f"leave it out: exclude: [{name}]"
    if cells.map(lambda cell: DATE.fullmatch(cell) is not None).all():
        parts = f"dates: {{{name}: [year, month, weekday, hour]}}"
        return f"holds dates or times; write what matters of them, as in {parts}, or {exclude}"
    if name in (data.categorical or ()):
        if count <= MAX_CATEGORIES:
            return None
        return f"has {count:,} different words, more than {MAX_CATEGORIES:,}; {exclude}"
    if count >= MIN_NAMES and count >= NAMES_SHARE * len(cells):
        different = "different words in every row" if count == len(cells) else "hardly a word twice"
        return f"has {different} ({count:,} words), so nothing can be learned from it; {exclude}"
    if count > MAX_WORDS:
        return (
            f"has {count:,} different words, and each would become a column of its own; {exclude}, "
            f"or write categorical: [{name}]"
        )
    return None
