"""Sends the rows of the tables of a run while it trains."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from kerasbatch.columns import NOISE_COLUMNS, STEP_COLUMNS
from kerasbatch.runs.messages import Emit, TableRows
from kerasbatch.types import Row

INTERVAL = 0.2
"""Seconds between two sendings; a crash loses the rows that were not sent."""


@dataclass
class TableStream:
    """Sends new rows of tables, whose lists grow during the training.

    Args:
        emit: receives the rows.
        history: the rows of history.csv.
        steps: the rows of steps.csv.
        losses: the loss of every step; empty if not recorded.
        noise: the rows of noise.csv; empty if not recorded.
        weights: the rows of weights.csv; empty if not recorded.
        columns: the first columns of history.csv.
    """

    emit: Emit
    history: list[Row]
    steps: list[Row]
    losses: list[float]
    noise: list[Row]
    weights: list[Row]
    columns: list[str]
    _sent: Counter[str] = field(default_factory=Counter)
    _due: float = field(default_factory=lambda: time.monotonic() + INTERVAL)

    def on_evaluation(self, row: Row) -> None:
        """Send new rows, if the last sending is long enough ago."""
        self.send_if_due()

    def send_if_due(self) -> None:
        """Send new rows, if the last sending is long enough ago."""
        if time.monotonic() >= self._due:
            self.send()
            self._due = time.monotonic() + INTERVAL

    def send(self) -> None:
        """Send the new rows of every table; the last row that was sent may have changed."""
        self._send("history.csv", self.history, self.columns)
        self._send("steps.csv", self.steps, STEP_COLUMNS)
        if self.losses:
            start = self._sent["steps_loss.csv"]
            new = [{"step": n, "loss": x} for n, x in enumerate(self.losses[start:], start + 1)]
            self._emit("steps_loss.csv", start, new, ("step", "loss"))
        if self.weights:
            self._send("weights.csv", self.weights, ("step",))
        if self.noise:
            self._send("noise.csv", self.noise, NOISE_COLUMNS)

    def _send(self, table: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
        start = max(0, self._sent[table] - 1)
        self._emit(table, start, rows[start:], columns)

    def _emit(self, table: str, start: int, rows: Sequence[Row], columns: Sequence[str]) -> None:
        self.emit(TableRows(table, start, tuple(dict(row) for row in rows), tuple(columns)))
        self._sent[table] = start + len(rows)
