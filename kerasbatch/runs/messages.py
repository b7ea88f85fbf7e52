"""The messages of a training; plain data, which can pass between processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
class Notice:
    """A message for the user about the run, which goes on.

    Args:
        text: the message.
    """

    text: str


@dataclass(frozen=True)
class RunEnded:
    """The end of the training.

    Args:
        record: the content of record.json, except its files.
    """

    record: dict[str, Any]


Message = TableRows | ProgressUpdate | SavedFile | DeletedFile | Notice | RunEnded
Emit = Callable[[Message], None]
"""Receives messages; may raise KeyboardInterrupt at a `ProgressUpdate` to stop the training."""
