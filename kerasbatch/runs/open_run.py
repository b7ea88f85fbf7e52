"""A run in training, with its files."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasbatch.columns import HISTORY_COLUMNS, STEP_COLUMNS
from kerasbatch.records import provenance
from kerasbatch.records.checkpoints.checkpoint_folder import CheckpointFolder
from kerasbatch.records.event_file import FOLDER, EventFile
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.table_writer import TableWriter
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.failed_record import failed_run_record
from kerasbatch.runs.messages import (
    DeletedFile,
    Notice,
    SavedCheckpoint,
    SavedFile,
    TableRows,
    not_written,
)
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.progress import RunInfo
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Progress


@dataclass
class OpenRun:
    """A run in training.

    Args:
        run: the run.
        info: its description for a watcher.
        target: its directory.
        written: the directory that is written: the same, or its successor.
        checkpoints: the folder of its checkpoints; a finished result keeps its own.
        tables: its tables.
        started: the time of its start.
        events: its TensorBoard event files.
        progress: its last progress, or None.
        since: the time of its start, by `time.monotonic`.
    """

    run: PreparedRun
    info: RunInfo
    target: RunDirectory
    written: RunDirectory
    checkpoints: CheckpointFolder
    tables: TableWriter
    started: str
    events: list[EventFile] = field(default_factory=list)
    progress: Progress | None = None
    since: float = field(default_factory=time.monotonic)

    def store(
        self, message: TableRows | SavedFile | DeletedFile | SavedCheckpoint
    ) -> Notice | None:
        """Keep rows until their table is written; write or delete a file.

        Returns:
            A notice about something that cannot be written, without which the run goes on.
        """
        if isinstance(message, SavedCheckpoint):
            return self._write_checkpoint(message)
        if isinstance(message, TableRows):
            self.tables.put(message.table, message.start, message.rows, message.columns)
            return self._write_events(message)
        if isinstance(message, SavedFile):
            self.written.save(message.name, message.content)
        else:
            self.written.delete(message.name)
        return None

    def _write_events(self, new: TableRows) -> Notice | None:
        failed = []
        for file in list(self.events):
            try:
                file.add(new.table, new.start, new.rows)
            except OSError as error:
                self.events.remove(file)
                file.close()
                failed.append(f"{file.path} is not written ({error.strerror})")
        return Notice("; ".join(failed)) if failed else None

    def close(self) -> None:
        """Close its event files."""
        for file in self.events:
            file.close()

    def _write_checkpoint(self, saved: SavedCheckpoint) -> Notice | None:
        try:
            self.checkpoints.write_content(saved.step, saved.content, saved.facts)
        except OSError as error:
            return not_written(saved.step, error)
        return None

    def failed_record(self, failure: WorkerFailure) -> dict[str, Any]:
        """Return the record of the run after a failure, with the rows received so far."""
        rows = self.tables.rows.get("history.csv", ())
        return failed_run_record(self.run, failure, self.started, self.progress, rows)


def begin(
    run: PreparedRun,
    info: RunInfo,
    target: RunDirectory,
    spec: Spec,
    tensorboard: Path | None,
    *,
    rerun: bool,
) -> OpenRun:
    """Make the directory of a run; an old result that is kept stays until there is a new one.

    Args:
        run: the run, with the checkpoint from which it goes on.
        info: its description for a watcher.
        target: its directory.
        spec: its spec, with absolute paths.
        tensorboard: the log directory of TensorBoard, or None.
        rerun: whether a finished run is trained again, which keeps its checkpoints until then.
    """
    goes_on = run.resume is not None and run.resume.is_own
    checkpoints = target.checkpoints
    if rerun and target.is_finished():
        checkpoints = target.successor().checkpoints
    if not goes_on:
        checkpoints.delete()
    in_place = not target.is_kept() or (goes_on and not target.is_finished())
    written = target if in_place else target.successor()
    written.start(spec, goes_on=goes_on)
    tables = TableWriter(written)
    tables.put("history.csv", 0, (), HISTORY_COLUMNS)
    tables.put("steps.csv", 0, (), STEP_COLUMNS)
    started = provenance.utc_now()
    folders = [tensorboard / target.path.parent.name / run.run_id] if tensorboard else []
    if "tensorboard" in spec.export:
        own = written.path / FOLDER
        if own.is_symlink():  # it could lead to another folder
            own.unlink()
        folders.append(own)
    events = [EventFile(folder, started) for folder in folders]
    return OpenRun(run, info, target, written, checkpoints, tables, started, events)
