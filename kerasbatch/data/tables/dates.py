"""Dates in the columns of a table: their parts as columns of numbers, and their order."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.data.tables.table import Table
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.data_schema import TableData
from kerasbatch.text import shortened, show_value
from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd

DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ]\d.*)?"
    r"|(-?\d+ days? )?[+-]?\d{1,2}:\d{2}(:\d{2}.*)?|-?\d+ days?"
)
"""What looks like a date, a time or a duration."""
_DAY_AND_MONTH = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.]\d{4}(?!\d)")
_SHORT_YEAR = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}(\D.*)?")
_OFFSET = re.compile(r"(?<=:\d{2})(\.\d+)?\s*(Z|[+-]\d{2}:?\d{2})$")
_OF_PANDAS = {"weekday": "day_of_week", "dayofyear": "day_of_year"}
ADVICE = "write dates as 2024-02-01 or 2024-02-01 13:30"


def with_dates(
    table: Table, dates: Mapping[str, Sequence[str]] | None, *, allow_missing: bool = True
) -> Table:
    """Return a table with parts of dates in place of the dates, such as `when_month`.

    A part is that of the local time as it is written; a missing date has missing parts.

    Args:
        table: the table.
        dates: the parts of each column of dates.
        allow_missing: whether dates may be missing.

    Raises:
        SpecError: if there is no such column, or a cell is no date.
    """
    if not dates:
        return table
    if faults := table.check_columns({name: ("data", "dates", name) for name in dates}):
        raise SpecError(faults)
    cells = table.cells.copy()
    for name, parts in dates.items():
        place = list(cells.columns).index(name)
        filled = table.filled(name)
        if not (allow_missing or filled.all()):
            advice = "fill it in, or write missing: mean or drop"
            raise table.fault(name, ~filled, "an empty cell", advice)
        times = parsed(table, name, local=True)
        cells = cells.drop(columns=name)
        for offset, part in enumerate(parts):
            column = f"{name}_{part}"
            if column in cells.columns:
                message = f"the table has a column {column} already; rename it"
                raise SpecError([Fault(("data", "dates", name), message)])
            values = getattr(times.dt, _OF_PANDAS.get(part, part)).astype(np.float64)
            cells.insert(place + offset, column, values)
    return replace(table, cells=cells)


def part_columns(dates: Mapping[str, Sequence[str]] | None) -> dict[str, str]:
    """Return the column of dates of every column of parts."""
    return {f"{name}_{part}": name for name, parts in (dates or {}).items() for part in parts}


def times_of(table: Table, name: str) -> Array:
    """Return a column of time as float64: seconds of dates, or its numbers.

    Raises:
        SpecError: if a cell is missing, or neither.
    """
    column, filled = table.number_column(name), table.filled(name)
    if not filled.all():
        raise table.fault(name, ~filled, "an empty cell", "every row needs its time")
    if column.is_number.all():
        return column.values
    times = parsed(table, name, local=False)
    microseconds: Array = times.astype("datetime64[us]").astype("int64").to_numpy()
    return microseconds / 1e6


def parsed(table: Table, name: str, *, local: bool) -> "pd.Series[Any]":
    """Return a column of dates as datetime64, NaT for a missing cell.

    Args:
        table: the table.
        name: the column.
        local: the time as it is written, without its distance to UTC; else the time in UTC.

    Raises:
        SpecError: if a cell is no date, or may be two dates.
    """
    import pandas as pd

    if table.cells[name].dtype == np.float64:
        raise SpecError.at(table.where, f"column {show_value(name)} holds numbers and no dates")
    filled = table.filled(name)
    texts = table.cells[name].where(filled, "").astype(str).str.strip()
    if local:
        texts = texts.str.replace(_OFFSET, "", regex=True)
    options = _options(table, name, texts[filled])
    times = pd.to_datetime(texts.where(filled, None), errors="coerce", utc=not local, **options)
    bad = filled & times.isna().to_numpy()
    if bad.any():
        cell = shortened(str(table.cells[name].iloc[int(np.argmax(bad))]), 30)
        raise table.fault(name, bad, f"no date, {cell!r},", ADVICE)
    return times.dt.tz_localize(None)


def _options(table: Table, name: str, texts: "pd.Series[Any]") -> dict[str, Any]:
    """Return the options of pandas for the order of day and month."""
    short = texts.str.fullmatch(_SHORT_YEAR)
    if short.any():
        cell = shortened(str(texts[short].iloc[0]), 30)
        message = f"column {show_value(name)} holds {cell!r}; write years of four digits: {ADVICE}"
        raise SpecError.at(table.where, message)
    pairs = texts[texts.str.match(_DAY_AND_MONTH)]
    if not len(pairs):
        return {"format": "mixed" if texts.str.contains("/").any() else "ISO8601"}
    if name not in table.day_first:
        cell = shortened(str(pairs.iloc[0]), 30)
        message = f"column {show_value(name)} holds {cell!r}, and training had dates of another "
        raise SpecError.at(table.where, f"{message}form; {ADVICE}")
    return {"format": "mixed", "dayfirst": table.day_first[name]}


def day_first_of(tables: Iterable[Table], names: Iterable[str]) -> dict[str, bool]:
    """Return whether the day is first, by column with dates such as 01.02.2024.

    Args:
        tables: the tables of all parts, which have one order.
        names: the columns of dates.

    Raises:
        SpecError: if the order is unknown, or differs.
    """
    orders, all_tables = dict[str, bool](), list(tables)
    for name in names:
        columns = [t.cells[name] for t in all_tables if name in t.cells.columns]
        texts = [str(cell).strip() for column in columns for cell in column]
        matches = [match for text in texts if (match := _DAY_AND_MONTH.match(text))]
        if not matches:
            continue
        first, second = (max(int(match[number]) for match in matches) for number in (1, 3))
        is_german = all(match[2] == "." for match in matches)
        if (first > 12) == (second > 12) and not (is_german and first <= 12):
            message = f"column {show_value(name)} holds dates such as {matches[0][0]!r}, whose day "
            message += "and month may be either way round"
            if first > 12:
                message = f"column {show_value(name)} has days before months, and months before "
                message += "days"
            raise SpecError.at(all_tables[0].where, f"{message}; {ADVICE}")
        orders[name] = second <= 12
    return orders


def tables_with_dates(data: TableData, tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of all parts with parts of dates in place of the dates.

    Raises:
        SpecError: if a cell is no date, or the order of day and month is unknown.
    """
    names = [*(data.dates or ()), *filter(None, [data.time])]
    orders, allow = day_first_of(tables.values(), names), data.missing is not None
    return {
        part: with_dates(replace(table, day_first=orders), data.dates, allow_missing=allow)
        for part, table in tables.items()
    }
