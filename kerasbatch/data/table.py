"""A table with named columns -> its numbers: every column by its name, every fault by its line.

A column of text becomes the numbers of its words; how they are encoded for the model is the
business of `preprocessing`. Errors name columns and lines, never the contents of a file.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.text import short_name, show_value, suggestion
from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd

MAX_WORDS = 1000
"""Different words that a column of text may have: each becomes a column for the model."""
MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL"})
"""What stands for a missing number where the spec says what to do with those."""
ADVICE = "fill it in, write missing: mean or drop, or list the columns to use: columns: [...]"
NO_NUMBER = (
    "write numbers in all of its rows, or text in all, which is encoded; or list the columns to "
    "use: columns: [...]"
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ]\d.*)?"
    r"|(-?\d+ days? )?[+-]?\d{1,2}:\d{2}(:\d{2}.*)?|-?\d+ days?"
)
Words = Mapping[str, tuple[str, ...]]
"""The words of columns of text, by the names of the columns."""


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    Args:
        cells: columns of float64, or of text without blanks around it.
        where: the place in the spec that its faults belong to.
        line: names the place of a row (from 0) in the file.
        called: what it is, to begin a sentence.
    """

    cells: "pd.DataFrame"
    where: Location
    line: Callable[[int], str]
    called: str = "the file"

    def __len__(self) -> int:
        return len(self.cells)

    def check_columns(self, wanted: Mapping[str, Location]) -> list[Fault]:
        """Return a fault for every column that is wanted and not there."""
        return [
            Fault(
                place,
                f"{self.called} has no column {show_value(name)}{self._hint(name)}",
            )
            for name, place in wanted.items()
            if name not in self.cells.columns
        ]

    def _hint(self, name: str) -> str:
        columns = list(self.cells.columns)
        if len(columns) == 1 and ";" in columns[0]:
            return "; its columns are separated by semicolons: write commas, and points in numbers"
        hint = suggestion(name, columns)
        return hint or f"; it has {short_name(', '.join(columns))}"

    def parsed(self, name: str) -> tuple[Array, Array]:
        """Return a column as float64, nan for what is no number, and which cells are filled."""
        import pandas as pd

        cells = self.cells[name]
        values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        if cells.dtype == np.float64:
            return values, ~np.isnan(values)
        return values, ~cells.isin(MISSING).to_numpy()

    def is_text(self, name: str) -> bool:
        """Tell whether a column is text: some cell is filled, and none is a number."""
        values, filled = self.parsed(name)
        return bool(np.isnan(values).all() and filled.any())

    def words(self, name: str) -> "pd.Series[Any]":
        """Return a column of text; true and false in one spelling, as pandas reads them too."""
        cells = self.cells[name].astype(str)
        return cells.where(~cells.str.lower().isin(("true", "false")), cells.str.lower())

    def empty(self, name: str, *, text: bool) -> Array:
        """Return which cells of a column are missing, shape (rows,)."""
        if text:
            return (self.cells[name].astype(str) == "").to_numpy()
        return ~self.parsed(name)[1]

    def without(self, rows: Array) -> "Table":
        """Return the table without some rows, shape (rows,) of truth values."""
        kept = np.nonzero(~rows)[0]
        cells = self.cells.iloc[kept].reset_index(drop=True)
        return Table(cells, self.where, lambda row: self.line(int(kept[row])))

    def fault(self, name: str, bad: Array, what: str, advice: str) -> SpecError:
        """Return the error of a column's bad cells, with the place of the first."""
        place, count = self.line(int(np.argmax(bad))), int(bad.sum())
        message = f"column {show_value(name)} has {what} in {place} ({count} such); {advice}"
        return SpecError.at(self.where, message)


def numbers(table: Table, name: str, *, may_miss: bool, advice: str = ADVICE) -> Array:
    """Return a column of numbers, nan for a missing one.

    Args:
        table: the table.
        name: the column.
        may_miss: whether cells may be missing.
        advice: what to do about a cell that is missing.

    Raises:
        SpecError: naming the first cell that is no finite number.
    """
    values, filled = table.parsed(name)
    bad = ~np.isfinite(values) & (filled | (not may_miss))
    if bad.any():
        blank = table.empty(name, text=table.cells[name].dtype != np.float64)
        if blank[int(np.argmax(bad))]:
            raise table.fault(name, bad, "an empty cell", advice)
        raise table.fault(name, bad, "no number", NO_NUMBER)
    return values


def texts(table: Table, name: str, *, may_miss: bool, advice: str = ADVICE) -> "pd.Series[Any]":
    """Return a column of text, "" for a missing cell.

    Raises:
        SpecError: if cells are missing that may not, or it holds dates, or too many words.
    """
    cells = table.words(name)
    empty = table.empty(name, text=True)
    if empty.any() and not may_miss:
        raise table.fault(name, empty, "an empty cell", advice)
    filled, problem = cells[~empty], None
    if len(filled) and filled.map(lambda cell: _DATE.fullmatch(cell) is not None).all():
        problem = (
            "holds dates or times; write what matters of them as columns of numbers (year, "
            "month, weekday, hour), or list the columns to use: columns: [...]"
        )
    elif (count := filled.nunique()) > MAX_WORDS:
        problem = (
            f"has {count:,} different words, and each would become a column of its own (at most "
            f"{MAX_WORDS:,} may); list the columns to use: columns: [...]"
        )
    if problem:
        raise SpecError.at(table.where, f"column {show_value(name)} {problem}")
    return cells


def matrix(
    table: Table, columns: Sequence[str], words: Words, *, may_miss: bool, advice: str = ADVICE
) -> Array:
    """Return columns as float64, shape (rows, columns); a word by its number, nan for others.

    Args:
        table: the table.
        columns: the columns, in their order.
        words: the words of every column of text.
        may_miss: whether cells may be missing; they become nan.
        advice: what to do about a cell that is missing.

    Raises:
        SpecError: with the faults of all columns.
    """
    found, faults = list[Array](), list[Fault]()
    for name in columns:
        try:
            if name in words:
                cells = texts(table, name, may_miss=may_miss, advice=advice)
                found.append(_codes(cells, words[name]))
            else:
                found.append(numbers(table, name, may_miss=may_miss, advice=advice))
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(faults)
    return np.stack(found, axis=1)


def _codes(cells: "pd.Series[Any]", words: tuple[str, ...]) -> Array:
    number = {word: float(code) for code, word in enumerate(words)}
    return cells.map(number).to_numpy(dtype=np.float64)


def words_of(tables: Iterable[Table], columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the words of the columns that hold text in the first table, of all tables, sorted."""
    every, found = list(tables), {}
    for name in columns:
        if every[0].is_text(name):
            words = {word for each in every for word in each.words(name)}
            found[name] = tuple(sorted(words - {""}))
    return found


def target(table: Table, name: str, where: Location) -> Array:
    """Return the target: numbers, whole ones as int64, or labels as text.

    Raises:
        SpecError: if a cell is empty, or some are numbers and others are none.
    """
    values, _ = table.parsed(name)
    empty = table.empty(name, text=table.cells[name].dtype != np.float64)
    column = f"the target column {show_value(name)}"
    if empty.any():
        line = table.line(int(np.argmax(empty)))
        raise SpecError.at(where, f"{column} has an empty cell in {line}")
    if np.isnan(values).all():
        return table.cells[name].to_numpy(dtype=str)  # labels as text
    if not np.isfinite(values).all():
        line = table.line(int(np.argmax(~np.isfinite(values))))
        raise SpecError.at(where, f"{column} has numbers and, in {line}, none")
    whole = bool((values == np.round(values)).all() and np.abs(values).max() < 2**53)
    return values.astype(np.int64) if whole else values
