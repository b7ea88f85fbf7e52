"""runs.csv of an experiment: kept in memory while runs come to their ends, written now and then.

It is derived from the records of the runs; what a process that was killed had not written is
derived anew by the next one.
"""

import time
from collections.abc import Mapping
from typing import Any

from kerasbatch.records import record_file, runs_table
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.files import write_csv

INTERVAL = 1.0
"""Seconds between two writings while runs end."""
SHARE = 50
"""A writing is followed by so many times its own duration without one."""


class RunsCsv:
    """The table of an experiment's runs.

    Args:
        experiment: the experiment, owned by this process.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._file = experiment.path / "runs.csv"
        found = ((each.run_id, record_file.read(each.path).record) for each in experiment.runs())
        self._entries = {run_id: runs_table.entry(record) for run_id, record in found if record}
        self._due = 0.0
        self._is_written = False

    def put(self, run_id: str, record: Mapping[str, Any]) -> None:
        """Take the record of a run that has ended."""
        self._entries[run_id] = runs_table.entry(record)
        self._is_written = False

    def write_if_due(self) -> None:
        """Write the table if it is out of date, and the last writing is long enough ago."""
        start = time.monotonic()
        if not self._is_written and start >= self._due:
            self.write()
            now = time.monotonic()
            self._due = now + max(INTERVAL, SHARE * (now - start))

    def write(self) -> None:
        """Write the table."""
        write_csv(self._file, *runs_table.table(list(self._entries.values())))
        self._is_written = True
