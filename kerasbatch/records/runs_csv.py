"""runs.csv of an experiment: kept in memory while runs end, and written at intervals.

The table is derived from the records of the runs; after a crash, the next process derives it
again.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasbatch.records.experiment import Experiment
from kerasbatch.records.files import columns_of, write_csv
from kerasbatch.records.record import read_record
from kerasbatch.records.run_row import RENAMED_KEYS, RUN_COLUMNS
from kerasbatch.spec.schema import keys_where
from kerasbatch.text import value_label
from kerasbatch.types import Row

INTERVAL = 1.0
"""The minimum number of seconds between two writes while runs end."""
SHARE = 50
"""The minimum pause after a write, as a multiple of the duration of the write."""


class RunsCsv:
    """The table of an experiment's runs.

    Args:
        experiment: the experiment, locked by this process.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._file = experiment.path / "runs.csv"
        records = (
            (directory.run_id, read_record(directory.path).record)
            for directory in experiment.runs()
        )
        self._entries = {run_id: run_entry(record) for run_id, record in records if record}
        self._due = 0.0
        self._is_written = False

    def put(self, run_id: str, record: Mapping[str, Any]) -> None:
        """Add or replace the record of a run that has ended."""
        self._entries[run_id] = run_entry(record)
        self._is_written = False

    def write_if_due(self) -> None:
        """Write the table if it is out of date and the last write is long enough ago."""
        start = time.monotonic()
        if not self._is_written and start >= self._due:
            self.write()
            now = time.monotonic()
            self._due = now + max(INTERVAL, SHARE * (now - start))

    def write(self) -> None:
        """Write the table."""
        write_csv(self._file, *runs_table(list(self._entries.values())))
        self._is_written = True


SHOWN = frozenset({*RUN_COLUMNS, *keys_where(lambda key: not key.identity), *RENAMED_KEYS})
"""The keys that have a column already, perhaps with another name, or that change no run."""


def flatten_spec(plain: Mapping[str, Any], above: str = "") -> Row:
    """Return the values of a plain spec by their dotted keys; lists as sweep labels.

    Args:
        plain: a spec as plain values.
        above: the dotted key of its parent, with a dot at its end.
    """
    values: Row = {}
    for key, value in plain.items():
        inner = dict(enumerate(value)) if _holds_mappings(value) else value
        if isinstance(inner, dict):
            values |= flatten_spec({str(k): v for k, v in inner.items()}, f"{above}{key}.")
        else:
            values[f"{above}{key}"] = value_label(value) if isinstance(value, list) else value
    return values


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(inner, dict) for inner in value)


@dataclass(frozen=True)
class RunEntry:
    """The parts of a record that the table needs.

    Args:
        row: the run's row.
        keys: the values of its spec by their dotted keys.
        place: the key by which the rows are sorted.
    """

    row: Row
    keys: Row
    place: tuple[Any, ...]


def run_entry(record: Mapping[str, Any]) -> RunEntry | None:
    """Return the entry of a record of any format, or None if it has no row."""
    row = record.get("row")
    if not isinstance(row, dict) or not isinstance(row.get("run_id"), str):
        return None
    return RunEntry(dict(row), flatten_spec(record.get("spec") or {}), _place(record))


def runs_table(entries: Iterable[RunEntry | None]) -> tuple[list[str], list[Row]]:
    """Return the columns and the rows of runs.csv.

    Args:
        entries: the entries of all records; None is skipped.
    """
    ordered = sorted((entry for entry in entries if entry is not None), key=lambda e: e.place)
    rows: list[Row] = [dict(entry.row) for entry in ordered]
    keys = [entry.keys for entry in ordered]
    differing = [key for key in columns_of(keys) if _differ(key, keys)]
    for row, values in zip(rows, keys, strict=True):
        row.update({key: values.get(key) for key in differing})
    return columns_of(rows, [*RUN_COLUMNS, *differing]), rows


def _differ(key: str, specs: Sequence[Row]) -> bool:
    if key in SHOWN:
        return False
    return len({repr(spec.get(key)) for spec in specs if spec}) > 1


def _place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the sort key of a run: its swept values, numbers as numbers, then its name."""
    row = record["row"]
    swept = record.get("swept") or {"batch_size": row.get("batch_size")}
    return (tuple((key, *_as_number(value)) for key, value in swept.items()), row["run_id"])


def _as_number(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value), ""
    return 1, 0.0, value_label(value)
