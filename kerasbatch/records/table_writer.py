"""The tables of a run as their rows come in, written again and again while it goes on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.types import Row

INTERVAL = 1.0
"""Seconds between two writings while rows come in."""


@dataclass
class TableWriter:
    """The tables of a run.

    Args:
        directory: where they are written.
    """

    directory: RunDirectory
    rows: dict[str, list[Row]] = field(default_factory=dict)
    _columns: dict[str, Sequence[str]] = field(default_factory=dict)
    _unwritten: set[str] = field(default_factory=set)
    _due: float = field(default_factory=lambda: time.monotonic() + INTERVAL)

    def put(self, table: str, start: int, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Take rows of a table in place of those from `start` on.

        Raises:
            ValueError: if rows before them never came.
        """
        came = self.rows.setdefault(table, [])
        if start > len(came):
            raise ValueError(f"{table}: rows from {start} on, and {len(came)} came")
        came[start:] = rows
        self._columns[table] = columns
        self._unwritten.add(table)

    def write_if_due(self) -> None:
        """Write what is new, if the last writing is long enough ago.

        A long table takes longer to write and is written less often.
        """
        start = time.monotonic()
        if start >= self._due:
            self.write()
            now = time.monotonic()
            self._due = now + max(INTERVAL, 20 * (now - start))

    def write(self) -> None:
        """Write every table that is not on the disk as it is."""
        for table in sorted(self._unwritten):
            self.directory.write(table, self.rows[table], self._columns[table])
        self._unwritten.clear()
