"""Numbers as people write them: 12,345 and 1.234,00, $5, 5 %, 5 mi, (5)."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd

CURRENCIES = "[$€£¥₩₹]|USD|EUR|GBP|CHF|JPY|KRW|CNY|INR"
GROUPS = "'\u2019 \u00a0\u202f"
"""The apostrophes and blanks that may separate thousands in any language."""
MINUS = "\u2212"
_CELL = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-+{MINUS}]?)\s*(?P<before>{CURRENCIES})?\s*(?P<inner>[-+{MINUS}]?)"
    rf"(?P<digits>[\d.,{GROUPS}]*\d[.,]?)(?P<power>[eE][-+]?\d+)?"
    rf"\s*(?P<after>[^\d\s.,()+\-{MINUS}{GROUPS}][^\d.,()]{{0,14}})?(?P<close>\))?"
)


@dataclass(frozen=True)
class NumberColumn:
    """A column of text that holds numbers.

    Args:
        values: the numbers; nan for a missing cell and for one that is no number.
        is_number: for each cell, whether it is a number.
        unit: the unit of all numbers, or empty.
    """

    values: Array
    is_number: Array
    unit: str


def decimal_marks(cells: "pd.Series[Any]") -> set[str]:
    """Return the decimal marks that the cells of a column of numbers show.

    A mark is decimal if it is not followed by exactly three digits, comes after the other one, or
    if the other one stands twice. Cells such as 1,234 show none.
    """
    shown = {mark for cell in cells if (mark := _shown_mark(cell))}
    filled = (cells != "").to_numpy()
    return {
        mark for mark in shown if parse(cells, filled, decimal=mark).is_number[filled].all()
    } or shown & {","}


def _shown_mark(cell: str) -> str | None:
    """Return the decimal mark that a cell shows, or None."""
    digits = re.sub(r"[^\d.,]", "", cell) if re.search(r"\d[.,]\d", cell) else ""
    match = re.fullmatch(r"\d*(?:[.,]\d{3})*([.,])(\d+)", digits)
    if match is None:
        return None
    mark, decimals = match.groups()
    other = "," if mark == "." else "."
    if digits.count(mark) > 1:
        return other
    is_decimal = len(decimals) != 3 or digits.startswith("0") or other in digits
    return mark if is_decimal else None


def may_be_grouped(cells: "pd.Series[Any]", mark: str) -> bool:
    """Return whether a column holds numbers such as 1,234 only: thousands or decimals.

    Args:
        cells: the cells.
        mark: "," or ".".
    """
    filled = cells[cells != ""]
    number = re.compile(rf"[-+]?[1-9]\d{{0,2}}({re.escape(mark)}\d{{3}})?")
    is_number = all(number.fullmatch(cell) for cell in filled)
    return is_number and any(mark in cell for cell in filled)


def parse(
    cells: "pd.Series[Any]", filled: Array, *, decimal: str = ".", thousands: str | None = None
) -> NumberColumn:
    """Read cells as numbers of one unit.

    Args:
        cells: text, without blanks around it.
        filled: for each cell, whether it is not missing.
        decimal: the decimal mark.
        thousands: the mark between thousands; None for any that is not the decimal mark.
    """
    import pandas as pd

    plain = pd.to_numeric(cells.where(filled), errors="coerce").to_numpy(dtype=np.float64)
    is_plain = decimal == "." and thousands is None
    if is_plain and not np.isnan(plain[filled]).any():
        return NumberColumn(plain, filled & ~np.isnan(plain), "")
    values, is_number = np.full(len(cells), np.nan), np.zeros(len(cells), bool)
    units: Counter[str] = Counter()
    unit_of = dict[int, str]()
    for row in map(int, np.flatnonzero(filled)):
        value, unit = _number(cells.iloc[row], decimal, thousands)
        if value is not None:
            values[row], is_number[row], unit_of[row] = value, True, unit
            units[unit] += 1
    most, count = units.most_common(1)[0] if units else ("", 0)
    if 2 * count < units.total():  # addresses, "1st" and "2nd": words that begin with a number
        return NumberColumn(np.full(len(cells), np.nan), np.zeros(len(cells), bool), "")
    for row, unit in unit_of.items():
        if unit != most:
            values[row], is_number[row] = np.nan, False
    return NumberColumn(values, is_number, most)


def _number(cell: str, decimal: str, thousands: str | None) -> tuple[float | None, str]:
    """Return the number of a cell and its unit; None if the cell is no number."""
    match = _CELL.fullmatch(cell)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return _special(cell), ""
    digits, sign = match["digits"], match["sign"] + match["inner"]
    other = "," if decimal == "." else "."
    group = f"[{re.escape(thousands or GROUPS + other)}]"
    if len(sign) > 1 or not _is_number(digits, group, re.escape(decimal)):
        return None, ""
    plain = re.sub(group, "", digits).replace(decimal, ".") + (match["power"] or "")
    is_negative = bool(match["open"]) or sign in ("-", MINUS)
    unit = (match["before"] or match["after"] or "").strip()
    return (-float(plain) if is_negative else float(plain)), unit


def _is_number(digits: str, group: str, mark: str) -> bool:
    """Return whether digits are written as one number, with a group mark between thousands."""
    grouped = rf"[1-9]\d{{0,2}}(?P<mark>{group})\d{{3}}(?:(?P=mark)\d{{3}})*(?:{mark}\d*)?"
    return re.fullmatch(rf"\d+(?:{mark}\d*)?|{mark}\d+|{grouped}", digits) is not None


def _special(cell: str) -> float | None:
    """Return the number of `inf` and the like, as pandas reads them, or None."""
    try:
        return float(cell)
    except ValueError:
        return None
