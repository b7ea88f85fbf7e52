"""A table with named columns, and its conversion to numbers.

A column of text becomes the numbers of its words; `preprocessing` encodes them for the model.
Errors name columns and lines, never the contents of a file.
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
"""The limit of distinct words in a column of text; each becomes a column for the model."""
MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL"})
"""The texts of a missing number, if the spec says how to treat missing values."""
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
    """A table before any conversion.

    Args:
        cells: columns of float64, or of text without blanks around it.
        where: the place in the spec of its faults.
        line: the function that names the place of a row (from 0) in the file.
        called: the name of the table, to begin a sentence.
    """

    cells: "pd.DataFrame"
    where: Location
    line: Callable[[int], str]
    called: str = "the file"

    def __len__(self) -> int:
        return len(self.cells)

    def check_columns(self, required: Mapping[str, Location]) -> list[Fault]:
        """Return a fault for every required column that is missing."""
        return [
            Fault(
                place,
                f"{self.called} has no column {show_value(name)}{self._hint(name)}",
            )
            for name, place in required.items()
            if name not in self.cells.columns
        ]

    def _hint(self, name: str) -> str:
        columns = list(self.cells.columns)
        if len(columns) == 1 and ";" in columns[0]:
            return "; its columns are separated by semicolons: write commas, and points in numbers"
        hint = suggestion(name, columns)
        return hint or f"; it has {short_name(', '.join(columns))}"

    def parsed(self, name: str) -> tuple[Array, Array]:
        """Return a column as float64, nan for non-numbers, and a mask of the filled cells."""
        import pandas as pd

        cells = self.cells[name]
        values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        if cells.dtype == np.float64:
            return values, ~np.isnan(values)
        return values, ~cells.isin(MISSING).to_numpy()

    def is_text(self, name: str) -> bool:
        """Return whether a column is text: some cell is filled, and none is a number."""
        values, filled = self.parsed(name)
        return bool(np.isnan(values).all() and filled.any())

    def words(self, name: str) -> "pd.Series[Any]":
        """Return a column of text, with true and false in lower case, as pandas accepts them."""
        cells = self.cells[name].astype(str)
        return cells.where(~cells.str.lower().isin(("true", "false")), cells.str.lower())

    def empty(self, name: str, *, text: bool) -> Array:
        """Return a mask of the missing cells of a column, shape (rows,)."""
        if text:
            return (self.cells[name].astype(str) == "").to_numpy()
        return ~self.parsed(name)[1]

    def without(self, rows: Array) -> "Table":
        """Return the table without the rows of a mask of shape (rows,)."""
        kept = np.nonzero(~rows)[0]
        cells = self.cells.iloc[kept].reset_index(drop=True)
        return Table(cells, self.where, lambda row: self.line(int(kept[row])))

    def fault(self, name: str, bad: Array, problem: str, advice: str) -> SpecError:
        """Return the error of a column's bad cells, with the place of the first one."""
        place, count = self.line(int(np.argmax(bad))), int(bad.sum())
        message = f"column {show_value(name)} has {problem} in {place} ({count} such); {advice}"
        return SpecError.at(self.where, message)


def numbers(table: Table, name: str, *, allow_missing: bool, advice: str = ADVICE) -> Array:
    """Return a column of numbers, nan for a missing cell.

    Args:
        table: the table.
        name: the column.
        allow_missing: whether cells may be missing.
        advice: the advice for a missing cell.

    Raises:
        SpecError: if a cell is not a finite number; it names the first one.
    """
    values, filled = table.parsed(name)
    bad = ~np.isfinite(values) & (filled | (not allow_missing))
    if bad.any():
        blank = table.empty(name, text=table.cells[name].dtype != np.float64)
        if blank[int(np.argmax(bad))]:
            raise table.fault(name, bad, "an empty cell", advice)
        raise table.fault(name, bad, "no number", NO_NUMBER)
    return values


def texts(
    table: Table, name: str, *, allow_missing: bool, advice: str = ADVICE
) -> "pd.Series[Any]":
    """Return a column of text, "" for a missing cell.

    Raises:
        SpecError: if cells are missing and may not be, or the column holds dates or too many words.
    """
    cells = table.words(name)
    empty = table.empty(name, text=True)
    if empty.any() and not allow_missing:
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
    table: Table, columns: Sequence[str], words: Words, *, allow_missing: bool, advice: str = ADVICE
) -> Array:
    """Return columns as float64, shape (rows, columns); words as numbers, nan for missing ones.

    Args:
        table: the table.
        columns: the columns, in their order.
        words: the words of every column of text.
        allow_missing: whether cells may be missing; they become nan.
        advice: the advice for a missing cell.

    Raises:
        SpecError: with the faults of all columns.
    """
    arrays, faults = list[Array](), list[Fault]()
    for name in columns:
        try:
            if name in words:
                cells = texts(table, name, allow_missing=allow_missing, advice=advice)
                arrays.append(_codes(cells, words[name]))
            else:
                arrays.append(numbers(table, name, allow_missing=allow_missing, advice=advice))
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(faults)
    return np.stack(arrays, axis=1)


def _codes(cells: "pd.Series[Any]", words: tuple[str, ...]) -> Array:
    number = {word: float(code) for code, word in enumerate(words)}
    return cells.map(number).to_numpy(dtype=np.float64)


def words_of(tables: Iterable[Table], columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the sorted words of all tables, for the columns that are text in the first table."""
    all_tables, words_by_column = list(tables), {}
    for name in columns:
        if all_tables[0].is_text(name):
            words = {word for table in all_tables for word in table.words(name)}
            words_by_column[name] = tuple(sorted(words - {""}))
    return words_by_column


def target(table: Table, name: str, where: Location) -> Array:
    """Return the target: integers as int64, other numbers as float64, or labels as text.

    Raises:
        SpecError: if a cell is empty, or only some cells are numbers.
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
    is_integer = bool((values == np.round(values)).all() and np.abs(values).max() < 2**53)
    return values.astype(np.int64) if is_integer else values
