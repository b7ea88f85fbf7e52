"""A table with named columns, and its conversion to numbers.

A column of text becomes the numbers of its words; `preprocessing` encodes them for the model.
Errors name columns and lines, never the contents of a file.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.data.tables.number_format import NumberColumn, parse
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.text import short_name, shortened, show_value, suggestion
from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd

MISSING = frozenset({"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None"})
"""The texts of a missing value, besides those of the spec."""


@dataclass(frozen=True)
class Table:
    """A table before any conversion.

    Args:
        cells: columns of float64, or of text without blanks around it.
        where: the place in the spec of its faults.
        line: the function that names the place of a row (from 0) in the file.
        called: the name of the table, to begin a sentence.
        decimal: the decimal mark of numbers.
        thousands: the mark between thousands; None for any.
        missing: the texts of missing values, besides the usual ones.
        notices: messages for the user about the file.
        separator: the separator of the file, or None if it is no text.
        day_first: by column of dates such as 01.02.2024, whether the day is first.
    """

    cells: "pd.DataFrame"
    where: Location
    line: Callable[[int], str]
    called: str = "the file"
    decimal: str = "."
    thousands: str | None = None
    missing: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()
    separator: str | None = None
    day_first: Mapping[str, bool] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cells)

    def check_columns(self, required: Mapping[str, Location]) -> list[Fault]:
        """Return a fault for every required column that is missing, or stands twice."""
        names = [str(name) for name in self.cells.columns]
        faults = []
        for name, place in required.items():
            if name not in names:
                hint = suggestion(name, names) or f"; it has {short_name(', '.join(names))}"
                faults.append(Fault(place, f"{self.called} has no column {show_value(name)}{hint}"))
            elif names.count(name) > 1:
                positions = [str(n + 1) for n, other in enumerate(names) if other == name]
                where = f"columns {' and '.join(positions)} of {self.called}"
                advice = f"rename one in the file, or leave both out: exclude: [{name}]"
                faults.append(Fault(place, f"{show_value(name)} stands twice: {where}; {advice}"))
        return faults

    def filled(self, name: str, *, text: bool = False) -> Array:
        """Return a mask of the cells of a column that are not missing, shape (rows,).

        NA and the like are words in a column of text, unless the spec says that they are missing.
        """
        cells = self.cells[name]
        if cells.dtype == np.float64:
            return cells.notna().to_numpy()
        return ~cells.isin(self.missing | ({""} if text else MISSING)).to_numpy()

    def number_column(self, name: str) -> NumberColumn:
        """Return a column as numbers."""
        cells, filled = self.cells[name], self.filled(name)
        if cells.dtype == np.float64:
            return NumberColumn(cells.to_numpy(), filled, "")
        return parse(cells, filled, decimal=self.decimal, thousands=self.thousands)

    def check_units(self, units: Mapping[str, str], columns: Iterable[str]) -> list[Fault]:
        """Return a fault for every column with another unit than in training.

        Args:
            units: the units of training, by column.
            columns: the columns to check.
        """
        faults = []
        for name in columns:
            unit, expected = self.number_column(name).unit, units.get(name, "")
            if unit and unit != expected:
                trained = f"in {expected}" if expected else "without a unit"
                message = f"column {show_value(name)} is in {unit}, and training had it {trained}"
                faults.append(Fault(self.where, message))
        return faults

    def is_text(self, name: str) -> bool:
        """Return whether a column is text: some cell is filled, and none is a number."""
        return bool(
            self.filled(name, text=True).any() and not self.number_column(name).is_number.any()
        )

    def words(self, name: str) -> "pd.Series[Any]":
        """Return a column of text, with true and false in lower case, as pandas accepts them.

        Whole numbers are spelled as in a file of text: 1, and not 1.0.
        """
        column = self.cells[name]
        if column.dtype == np.float64:
            return column.map(lambda value: f"{value:.0f}" if value == round(value) else str(value))
        cells = column.astype(str)
        return cells.where(~cells.str.lower().isin(("true", "false")), cells.str.lower())

    def ordered(self, orders: Mapping[str, Sequence[str]]) -> "Table":
        """Return the table with the words of ordered columns as their positions, from 0.

        Raises:
            SpecError: if a column holds another word.
        """
        cells, faults = self.cells.copy(), list[Fault]()
        for name, order in orders.items():
            words, filled = self.words(name), self.filled(name, text=True)
            positions = words.map({_spelled(word): float(n) for n, word in enumerate(order)})
            unknown = filled & positions.isna().to_numpy()
            if unknown.any():
                row = int(np.argmax(unknown))
                word = shortened(str(words.iloc[row]), 40)
                message = f"column {show_value(name)} holds {word!r} in {self.line(row)}"
                advice = f"which is none of {', '.join(order)}"
                faults.append(Fault(self.where, f"{message}, {advice}"))
            cells[name] = positions.astype(np.float64)
        if faults:
            raise SpecError(faults)
        return replace(self, cells=cells)

    def without(self, rows: Array) -> "Table":
        """Return the table without the rows of a mask of shape (rows,)."""
        kept = np.nonzero(~rows)[0]
        cells = self.cells.iloc[kept].reset_index(drop=True)
        return replace(self, cells=cells, line=lambda row: self.line(int(kept[row])))

    def fault(self, name: str, bad: Array, problem: str, advice: str) -> SpecError:
        """Return the error of a column's bad cells, with the place of the first one."""
        place, count = self.line(int(np.argmax(bad))), int(bad.sum())
        message = f"column {show_value(name)} has {problem} in {place} ({count} such); {advice}"
        return SpecError.at(self.where, message)


def _spelled(word: str) -> str:
    """Return a word of an order as `words` spells it."""
    return word.lower() if word.lower() in ("true", "false") else word
