"""The messages of a training; plain data, which can pass between processes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kerasbatch.records.checkpoints.state_files import StateContent
from kerasbatch.types import Progress, Row


@dataclass(frozen=True)
class TableRows:
    """Rows of a table of the run.

    Args:
        table: the name of the file.
        start: the number of rows before them.
        rows: the rows; they replace all rows from `start` on.
        columns: the first columns of the table.
    """

    table: str
    start: int
    rows: tuple[Row, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ProgressUpdate:
    """The progress of the training."""

    progress: Progress


@dataclass(frozen=True)
class SavedFile:
    """A file of the run: a model, or its preprocessing.

    Args:
        name: the name of the file.
        content: its content.
    """

    name: str
    content: bytes


@dataclass(frozen=True)
class DeletedFile:
    """A file of the run that is not kept.

    Args:
        name: the name of the file.
    """

    name: str


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint of a worker that does not see the directory of its run.

    Args:
        step: the steps of the run so far.
        content: the state of the training, as the content of files.
        facts: the facts of its manifest.
    """

    step: int
    content: StateContent
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Notice:
    """A message for the user about the run, which goes on.

    Args:
        text: the message.
    """

    text: str


def not_written(step: int, error: OSError) -> Notice:
    """Return the message about a checkpoint that cannot be written."""
    reason = f"the checkpoint of step {step:,} was not written ({error.strerror})"
    return Notice(f"{reason}; the run goes on")


@dataclass(frozen=True)
class RunEnded:
    """The end of the training.

    Args:
        record: the content of record.json, except its files.
    """

    record: dict[str, Any]


Message = TableRows | ProgressUpdate | SavedFile | DeletedFile | SavedCheckpoint | Notice | RunEnded
Emit = Callable[[Message], None]
"""Receives messages; may raise KeyboardInterrupt at a `ProgressUpdate` to stop the training."""
