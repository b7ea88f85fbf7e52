"""A run in training, with its files."""

import time
from dataclasses import dataclass, field
from typing import Any

from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.table_writer import TableWriter
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.failed_record import failed_run_record
from kerasbatch.runs.messages import DeletedFile, SavedFile, TableRows
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.progress import RunInfo
from kerasbatch.types import Progress


@dataclass
class OpenRun:
    """A run in training.

    Args:
        run: the run.
        info: its description for a watcher.
        target: its directory.
        written: the directory that is written: the same, or its successor.
        tables: its tables.
        started: the time of its start.
        progress: its last progress, or None.
        since: the time of its start, by `time.monotonic`.
    """

    run: PreparedRun
    info: RunInfo
    target: RunDirectory
    written: RunDirectory
    tables: TableWriter
    started: str
    progress: Progress | None = None
    since: float = field(default_factory=time.monotonic)

    def store(self, message: TableRows | SavedFile | DeletedFile) -> None:
        """Keep rows until their table is written; write or delete a file."""
        if isinstance(message, TableRows):
            self.tables.put(message.table, message.start, message.rows, message.columns)
        elif isinstance(message, SavedFile):
            self.written.save(message.name, message.content)
        else:
            self.written.delete(message.name)

    def failed_record(self, failure: WorkerFailure) -> dict[str, Any]:
        """Return the record of the run after a failure, with the rows received so far."""
        rows = self.tables.rows.get("history.csv", ())
        return failed_run_record(self.run, failure, self.started, self.progress, rows)
