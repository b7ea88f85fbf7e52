"""The conversion of the columns of a table to numbers, words and labels."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.data.tables.number_format import parse
from kerasbatch.data.tables.table import Table
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.text import counted, shortened, show_value
from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd

MAX_NAMES = 30
"""The different whole numbers with letters, such as 2WD, that are the names of classes."""
ADVICE = "fill it in, write missing: mean or drop, or leave the column out: exclude: [{name}]"
ADVICE_FOR_SERIES = ADVICE.replace(" or drop", "")  # it would leave gaps in the windows
Words = Mapping[str, tuple[str, ...]]
"""The words of columns of text, by the names of the columns."""


def numbers(table: Table, name: str, *, allow_missing: bool, advice: str = ADVICE) -> Array:
    """Return a column of numbers, nan for a missing cell.

    Args:
        table: the table.
        name: the column.
        allow_missing: whether cells may be missing.
        advice: the advice for a missing cell.

    Raises:
        SpecError: if a cell is not a finite number; it names the first ones.
    """
    column, filled = table.number_column(name), table.filled(name)
    bad = filled & ~(column.is_number & np.isfinite(column.values))
    if bad.any():
        raise SpecError.at(table.where, _no_number(table, name, bad))
    if not (allow_missing or filled.all()):
        raise table.fault(name, ~filled, "an empty cell", advice.format(name=name))
    return column.values


def _no_number(table: Table, name: str, bad: Array) -> str:
    """Return the message about cells that are no numbers, with three of them."""
    if units := _other_units(table, name, bad):
        return units
    different = table.cells[name][bad].unique()
    stand_ins = ", ".join(f'"{shortened(str(cell), 20)}"' for cell in different)
    missing = stand_ins if len(different) <= 3 else "..."
    rows = [int(row) for row in np.flatnonzero(bad)[:3]]
    cells = ", ".join(
        f"{shortened(str(table.cells[name].iloc[row]), 20)!r} in {table.line(row)}" for row in rows
    )
    return (
        f"column {show_value(name)} holds numbers and, in {counted(int(bad.sum()), 'row')}, none: "
        f"{cells}; write missing_values: [{missing}] if they stand for missing ones, categorical: "
        f"[{name}] if the column holds names, or leave it out: exclude: [{name}]"
    )


def _other_units(table: Table, name: str, bad: Array) -> str | None:
    """Return the message about numbers of two units, or None if the bad cells are no numbers."""
    if table.cells[name].dtype == np.float64:
        return None
    others = parse(table.cells[name], bad, decimal=table.decimal, thousands=table.thousands)
    units = [table.number_column(name).unit or "no unit", others.unit or "no unit"]
    if not np.isfinite(others.values[bad]).all() or units[0] == units[1]:
        return None
    row = int(np.argmax(bad))
    cell = shortened(str(table.cells[name].iloc[row]), 20)
    return (
        f"column {show_value(name)} has numbers of different units: {' and '.join(units)} "
        f"({cell!r} in {table.line(row)}); write one unit in all rows, or leave it out: "
        f"exclude: [{name}]"
    )


def texts(
    table: Table, name: str, *, allow_missing: bool, advice: str = ADVICE
) -> "pd.Series[Any]":
    """Return a column of text, "" for a missing cell.

    Raises:
        SpecError: if cells are missing and may not be.
    """
    filled = table.filled(name, text=True)
    if not (allow_missing or filled.all()):
        raise table.fault(name, ~filled, "an empty cell", advice.format(name=name))
    return table.words(name).where(filled, "")


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
    return np.stack(arrays, axis=1) if arrays else np.zeros((len(table), 0))


def _codes(cells: "pd.Series[Any]", words: tuple[str, ...]) -> Array:
    number = {word: float(code) for code, word in enumerate(words)}
    return cells.map(number).to_numpy(dtype=np.float64)


def words_of(tables: Iterable[Table], columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the sorted words of all tables, for columns of text."""
    all_tables = list(tables)
    words_by_column = {}
    for name in columns:
        cells = [texts(table, name, allow_missing=True) for table in all_tables]
        words_by_column[name] = tuple(sorted({word for part in cells for word in part} - {""}))
    return words_by_column


def target(table: Table, name: str, where: Location) -> Array:
    """Return the target: integers as int64, other numbers as float64, or labels as text.

    Raises:
        SpecError: if a cell is empty, or only some cells are numbers.
    """
    column = table.number_column(name)
    filled = table.filled(name, text=not column.is_number.any())
    title = f"the target column {show_value(name)}"
    if not filled.all():
        line = table.line(int(np.argmin(filled)))
        raise SpecError.at(where, f"{title} has an empty cell in {line}")
    if not column.is_number.any():
        return table.cells[name].to_numpy(dtype=str)  # labels as text
    values, bad = column.values, ~(column.is_number & np.isfinite(column.values))
    if bad.any():
        line = table.line(int(np.argmax(bad)))
        raise SpecError.at(where, f"{title} has numbers and, in {line}, none")
    if not (values == np.round(values)).all() or np.abs(values).max() >= 2**53:
        return values
    is_name = column.unit.isalpha() and len(np.unique(values)) <= MAX_NAMES  # 2WD and 4WD
    if is_name or _is_spelled(table.cells[name], values):
        return table.cells[name].to_numpy(dtype=str)
    return values.astype(np.int64)


def targets(table: Table, names: Sequence[str], where: Location) -> Array:
    """Return the target: one column, or several of numbers, shape (n, columns).

    Raises:
        SpecError: as in `target`, or for words in one of several columns.
    """
    columns = [target(table, name, where) for name in names]
    if len(columns) == 1:
        return columns[0]
    for name, column in zip(names, columns, strict=True):
        if column.dtype.kind == "U":
            message = f"the target column {show_value(name)} holds words; several targets must be "
            raise SpecError.at(where, f"{message}numbers, of one output of the model")
    return np.stack(columns, axis=1).astype(np.float64)


def _is_spelled(cells: "pd.Series[Any]", values: Array) -> bool:
    """Return whether whole numbers are names: 01 is not 1, and comes back as 01."""
    if cells.dtype == np.float64:
        return False
    spellings = cells.unique()
    has_zeros = any(re.fullmatch(r"[+-]?0\d.*", spelling) for spelling in spellings)
    return has_zeros or len(spellings) > len(np.unique(values))
