"""The writer of the tables of a run, which writes new rows at intervals during the run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.types import Row

INTERVAL = 1.0
"""The minimum number of seconds between two writes while rows arrive."""


@dataclass
class TableWriter:
    """The tables of a run.

    Args:
        directory: the directory of the run.
    """

    directory: RunDirectory
    rows: dict[str, list[Row]] = field(default_factory=dict)
    _columns: dict[str, Sequence[str]] = field(default_factory=dict)
    _unwritten: set[str] = field(default_factory=set)
    _due: float = field(default_factory=lambda: time.monotonic() + INTERVAL)

    def put(self, table: str, start: int, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Replace the rows of a table from `start` on.

        Raises:
            ValueError: if rows before `start` are missing.
        """
        stored_rows = self.rows.setdefault(table, [])
        if start > len(stored_rows):
            raise ValueError(f"{table}: rows from {start} on, and {len(stored_rows)} came")
        stored_rows[start:] = rows
        self._columns[table] = columns
        self._unwritten.add(table)

    def write_if_due(self) -> None:
        """Write the changed tables if the last write is long enough ago.

        A long table takes longer to write, so it is written less often.
        """
        start = time.monotonic()
        if start >= self._due:
            self.write()
            now = time.monotonic()
            self._due = now + max(INTERVAL, 20 * (now - start))

    def rewrite(self) -> None:
        """Write every table."""
        self._unwritten.update(self.rows)
        self.write()

    def write(self) -> None:
        """Write every table that has changed since its last write."""
        for table in sorted(self._unwritten):
            self.directory.write(table, self.rows[table], self._columns[table])
        self._unwritten.clear()
