"""The format of a table: what a spec says, and what was found in a file."""

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class TableFormat:
    """The format of a table; None for what is guessed.

    Args:
        separator: the separator of columns.
        decimal: the decimal mark.
        thousands: the mark between thousands.
        encoding: the encoding of the text.
        header: the names of the columns, for a file without them.
        missing_values: the texts of missing values, besides the usual ones.
        found_separator: the separator of the file of training.
        found_decimal: the decimal mark of the file of training.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    header: tuple[str, ...] | None = None
    missing_values: tuple[str, ...] | None = None
    found_separator: str | None = None
    found_decimal: str | None = None

    @classmethod
    def of(cls, data: Any) -> "TableFormat":
        """Return the format that the keys of `data` in a spec give."""
        return cls(**{field.name: getattr(data, field.name, None) for field in fields(cls)})

    def found(self, separator: str | None, decimal: str) -> "TableFormat":
        """Return the format with the marks of the file of training."""
        return replace(self, found_separator=separator, found_decimal=decimal)

    @property
    def mark(self) -> str:
        """The decimal mark of cells outside of a file."""
        return self.decimal or self.found_decimal or "."
