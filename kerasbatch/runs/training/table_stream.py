"""The tables of a run on their way out of the training, and the weights that go into one."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from kerasbatch.columns import NOISE_COLUMNS, STEP_COLUMNS
from kerasbatch.runs.messages import Emit, TableRows
from kerasbatch.types import Row

INTERVAL = 0.2
"""Seconds between two sendings while a training goes on; what is not sent, a crash takes along."""


@dataclass
class TableStream:
    """The tables of a run on their way out; the lists grow while a training goes on.

    Args:
        tell: hears of new rows.
        history: the rows of history.csv.
        steps: the rows of steps.csv.
        losses: the loss of every step, where they are recorded.
        noise: the rows of noise.csv, the same.
        columns: the first columns of history.csv.
        weights: the rows of weights.csv, where they are recorded.
    """

    tell: Emit
    history: list[Row]
    steps: list[Row]
    losses: list[float]
    noise: list[Row]
    columns: list[str]
    weights: list[Row] = field(default_factory=list)
    _sent: Counter[str] = field(default_factory=Counter)
    _due: float = field(default_factory=lambda: time.monotonic() + INTERVAL)

    def send_if_due(self) -> None:
        """Send what is new, if the last sending is long enough ago."""
        if time.monotonic() >= self._due:
            self.send()
            self._due = time.monotonic() + INTERVAL

    def send(self) -> None:
        """Send what is new of every table; the last row that was sent may have changed."""
        self._send("history.csv", self.history, self.columns)
        self._send("steps.csv", self.steps, STEP_COLUMNS)
        if self.losses:
            start = self._sent["steps_loss.csv"]
            new = [{"step": n, "loss": x} for n, x in enumerate(self.losses[start:], start + 1)]
            self._tell("steps_loss.csv", start, new, ("step", "loss"))
        if self.weights:
            self._send("weights.csv", self.weights, ("step",))
        if self.noise:
            self._send("noise.csv", self.noise, NOISE_COLUMNS)

    def _send(self, table: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
        start = max(0, self._sent[table] - 1)
        self._tell(table, start, rows[start:], columns)

    def _tell(self, table: str, start: int, rows: Sequence[Row], columns: Sequence[str]) -> None:
        self.tell(TableRows(table, start, tuple(dict(row) for row in rows), tuple(columns)))
        self._sent[table] = start + len(rows)


def named_weights(model: keras.Model) -> Iterator[tuple[str, float]]:
    """Yield every single weight with a name such as dense/kernel[0,1].

    Keras numbers its layers through the whole process; here they count within the model.
    """
    seen: Counter[str] = Counter()
    for layer in model.layers:
        kind = keras.utils.get_registered_name(type(layer)).split(">")[-1].lower()
        own = f"{kind}_{seen[kind]}" if seen[kind] else kind
        seen[kind] += 1
        for variable in layer.trainable_variables:
            inner = variable.path.split(f"{layer.name}/", 1)[-1]
            values = variable.numpy()
            for index in np.ndindex(*values.shape):
                place = f"[{','.join(map(str, index))}]" if index else ""
                yield f"{own}/{inner}{place}", float(values[index])
