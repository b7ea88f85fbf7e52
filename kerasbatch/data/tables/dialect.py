"""The dialect of a table in a text file: its separator and its decimal mark."""

import io
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.tables.number_format import decimal_marks, may_be_grouped
from kerasbatch.data.tables.text_file import MAX_HEADER, TextFile
from kerasbatch.errors import Location, SpecError

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
"""The separators that are guessed; of equally good ones the first."""
NAMES = {"\t": "tab", " ": "blank"}
OTHER_MARK = {",": ".", ".": ","}
"""The decimal marks, by a given mark between thousands."""
BLANKS = r"\s+"
"""What pandas splits at for the separator " ": any number of blanks."""
SAMPLE_LINES, SAMPLE_COLUMNS = 200, 500
_EXCEL_SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)
"""The first line that Excel writes into some files."""


@dataclass(frozen=True)
class Dialect:
    """The separator, the decimal mark and the first line of a table of text.

    Args:
        separator: the separator of its columns.
        decimal: the decimal mark of its numbers.
        skipped: the lines before the table.
        notice: what was guessed, if it is not the usual, or None.
    """

    separator: str
    decimal: str
    skipped: int
    notice: str | None

    @property
    def pandas_separator(self) -> str:
        """The separator as pandas takes it."""
        return BLANKS if self.separator == " " else self.separator


def dialect_of(file: TextFile, given: TableFormat, where: Location) -> Dialect:
    """Return the dialect of a file: what the spec says, the rest from its first lines.

    Args:
        file: the file.
        given: the keys of the spec.
        where: the place in the spec for errors.

    Raises:
        SpecError: if its numbers show no decimal mark, or both.
        UnicodeDecodeError: if the file has another encoding.
    """
    with file.open() as stream:
        lines = [stream.readline(MAX_HEADER), *itertools.islice(stream, SAMPLE_LINES)]
    named = _EXCEL_SEPARATOR.fullmatch(lines[0])
    skipped = int(named is not None)
    separator = given.separator or (named[1] if named else _separator(lines[skipped:]))
    rows = lines[skipped + (given.header is None) :]
    known = given.found_decimal if separator == given.found_separator else None
    known = OTHER_MARK.get(given.thousands or "", known)
    decimal = given.decimal or known or _decimal(rows, separator, given, where)
    ambiguous = _ambiguous_points(rows, separator, given) if decimal == "." else None
    notices = [_notice(file, separator, decimal, given), ambiguous]
    return Dialect(separator, decimal, skipped, "; ".join(filter(None, notices)) or None)


def _separator(lines: list[str]) -> str:
    """Return the separator that makes the most columns out of some lines."""
    columns = {mark: _columns(lines, mark) for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: columns[mark])
    return best if columns[best] > 1 else SEPARATORS[0]


def _columns(lines: list[str], separator: str) -> int:
    """Return the number of columns, 0 if the lines do not fit each other."""
    table = _sample(lines, separator)
    return 0 if table is None else len(table.columns)


def _sample(lines: list[str], separator: str) -> "pd.DataFrame | None":
    import pandas as pd

    try:
        return pd.read_csv(
            io.StringIO("".join(lines)),
            sep=BLANKS if separator == " " else separator,
            dtype=str,
            header=None,
            keep_default_na=False,
            index_col=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        return None


def _sample_columns(lines: list[str], separator: str) -> "list[pd.Series[str]]":
    """Return the first columns of a sample; none if it is no table."""
    table = _sample(lines, separator)
    if table is None:
        return []
    count = min(len(table.columns), SAMPLE_COLUMNS)
    return [table.iloc[:, n].fillna("").str.strip() for n in range(count)]


def _decimal(lines: list[str], separator: str, given: TableFormat, where: Location) -> str:
    """Return the decimal mark that the columns of numbers show, "." if they show none."""
    columns = _sample_columns(lines, separator)
    marks = set().union(*map(decimal_marks, columns))
    if len(marks) > 1:
        message = "has numbers with a decimal comma and numbers with a decimal point; write which "
        raise SpecError.at(where, f'{message}is right: decimal: "," or decimal: "."')
    if not marks and given.thousands is None and separator != SEPARATORS[0]:
        for column in (column for column in columns if may_be_grouped(column, ",")):
            example = next(cell for cell in column if "," in cell)
            message = f"has numbers like {example}, which may be thousands or decimals; write "
            raise SpecError.at(where, f'{message}decimal: "," or decimal: "."')
    return next(iter(marks), ".")


def _ambiguous_points(lines: list[str], separator: str, given: TableFormat) -> str | None:
    """Return a notice about numbers such as 1.234, which may be thousands, or None."""
    if given.decimal or given.thousands:
        return None
    columns = _sample_columns(lines, separator)
    for column in columns:
        if may_be_grouped(column, ".") and not any(map(decimal_marks, columns)):
            example = next(cell for cell in column if "." in cell)
            return (
                f'{example} is read with a decimal point; if it is thousands, write thousands: "."'
            )
    return None


def _notice(file: TextFile, separator: str, decimal: str, given: TableFormat) -> str | None:
    guessed = []
    if given.separator is None and separator != ",":
        guessed.append(f'"{NAMES.get(separator, separator)}"')
    if given.decimal is None and decimal != ".":
        guessed.append(f'decimal "{decimal}"')
    if given.encoding is None and not file.encoding.startswith("utf-8"):
        guessed.append(f"encoding {file.encoding}")
    return f"read {file.path.name} with {' and '.join(guessed)}" if guessed else None
