"""The tables of a run on their way to the disk, and the weights that go into one of them."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import keras
import numpy as np

from kerasbatch.callbacks.planned import Row
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.stepcheck import COLUMNS as STEP_COLUMNS

WRITE_INTERVAL = 1.0
"""Seconds between two writings of history.csv while a training goes on."""


@dataclass
class Tables:
    """The tables of a run on their way to the disk; the lists grow while a training goes on.

    Args:
        directory: where they go.
        history: the rows of history.csv.
        steps: the rows of steps.csv.
        losses: the loss of every step, where they are recorded.
        columns: the first columns of history.csv.
        weights: the rows of weights.csv, where they are recorded.
    """

    directory: RunDirectory
    history: list[Row]
    steps: list[Row]
    losses: list[float]
    columns: list[str]
    weights: list[Row] = field(default_factory=list)
    _due: float = 0.0

    def write_if_due(self) -> None:
        """Write what there is, if the last writing is long enough ago.

        A long table takes longer to write and is written less often.
        """
        start = time.monotonic()
        if start >= self._due:
            self.write()
            now = time.monotonic()
            self._due = now + max(WRITE_INTERVAL, 20 * (now - start))

    def write(self) -> None:
        """Write every table."""
        self.directory.write("history.csv", self.history, self.columns)
        self.directory.write("steps.csv", self.steps, STEP_COLUMNS)
        if self.losses:
            numbered = [{"step": i, "loss": loss} for i, loss in enumerate(self.losses, start=1)]
            self.directory.write("steps_loss.csv", numbered, ("step", "loss"))
        if self.weights:
            self.directory.write("weights.csv", self.weights, ("step",))


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
