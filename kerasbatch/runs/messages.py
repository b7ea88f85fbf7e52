"""What a training tells while it goes on, from wherever it runs; plain data, for any process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerasbatch.types import Progress, Row


@dataclass(frozen=True)
class TableRows:
    """Rows of a table of the run, from some row on.

    Args:
        table: the name of the file.
        start: how many rows of the table stay as they were.
        rows: those that come behind them.
        columns: the first columns of the table.
    """

    table: str
    start: int
    rows: tuple[Row, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ProgressUpdate:
    """The training moved on."""

    progress: Progress


@dataclass(frozen=True)
class SavedFile:
    """A file of the run, whole: a model, or what is needed to use it.

    Args:
        name: the name of the file.
        content: what is in it.
    """

    name: str
    content: bytes


@dataclass(frozen=True)
class RunEnded:
    """The training has come to an end, whatever it is.

    Args:
        record: what record.json says of it, beside its files.
    """

    record: dict[str, Any]


Message = TableRows | ProgressUpdate | SavedFile | RunEnded
Emit = Callable[[Message], None]
"""Hears messages; may raise KeyboardInterrupt at `Moved` to interrupt the training."""
