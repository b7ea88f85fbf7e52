"""A TensorBoard event file of a run, which grows while the run trains.

TensorBoard's own messages and record writer write it, without TensorFlow.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any

from kerasbatch.columns import NOT_MEASURED
from kerasbatch.types import Row

FOLDER = "tensorboard"
"""The folder of the event file in the directory of a run."""
FILE = "events.out.tfevents.kerasbatch"
"""The name of the file, which `kerasbatch export` uses too."""
_TABLES = ("history.csv", "noise.csv")
"""The tables that are written; the losses of all steps would be too many."""


class EventFile:
    """An event file with the measured values of a run, by the names of their columns.

    Args:
        folder: its folder, which is made with the first rows; an older file in it is replaced.
        started: the start time of the run, as in its record.
    """

    def __init__(self, folder: Path, started: str) -> None:
        self.path = folder / FILE
        self._started = datetime.fromisoformat(started).timestamp()
        self._written: Counter[str] = Counter()
        self._stream: FileIO | None = None

    def _open(self) -> None:
        """Make the file with its first event."""
        from tensorboard.compat.proto.event_pb2 import Event

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)  # also a link, which could lead to another file
        self._stream = FileIO(self.path, "x")
        self._write(Event(wall_time=self._started, file_version="brain.Event:2"))

    def add(self, table: str, start: int, rows: Sequence[Row]) -> None:
        """Write the rows of a table that are not written yet.

        Args:
            table: the name of the table; of most, nothing is written.
            start: the number of rows before these.
            rows: the rows.

        Raises:
            OSError: if it cannot be written.
        """
        if table not in _TABLES:
            return
        if self._stream is None:
            self._open()
        for row in rows[max(0, self._written[table] - start) :]:
            values = list(_values(table, row))
            if values:
                self._write(self._event_of(row, values))
        self._written[table] = max(self._written[table], start + len(rows))

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def _event_of(self, row: Row, values: Sequence[tuple[str, float]]) -> Any:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        written = [Summary.Value(tag=name, simple_value=value) for name, value in values]
        at = self._started + float(row.get("seconds") or 0.0)
        return Event(wall_time=at, step=int(row["step"]), summary=Summary(value=written))

    def _write(self, event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        RecordWriter(self._stream).write(event.SerializeToString(deterministic=True))


def _values(table: str, row: Row) -> Iterator[tuple[str, float]]:
    """Yield the names and values of a row; of the noise, only its scale."""
    for name, value in row.items():
        is_shown = name == "noise_scale" if table == "noise.csv" else name not in NOT_MEASURED
        if is_shown and isinstance(value, int | float):
            yield name, float(value)
