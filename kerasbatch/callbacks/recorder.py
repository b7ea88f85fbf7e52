"""The callback that records a history; usable in any `model.fit`.

`kerasbatch run` uses the same callback.

    recorder = kerasbatch.Recorder(train_examples=len(x), batch_size=16)
    model.fit(x, y, batch_size=16, epochs=5, callbacks=[recorder])
    recorder.history     # a DataFrame, the columns of history.csv
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.callbacks.base import PlannedCallback, plan_of_epochs
from kerasbatch.engine.keras_private import batches_counted
from kerasbatch.steps import Plan
from kerasbatch.types import PartialBatch, Row

if TYPE_CHECKING:
    import pandas as pd


class Recorder(PlannedCallback):
    """Records a row at the end of every epoch, or at chosen steps with an evaluation.

    Args:
        train_examples: the number of examples that `fit` trains on.
        batch_size: the batch size that `fit` is called with.
        epochs: the number of epochs, by default that of `fit`.
        partial_batch: `drop` if the data leave out the smaller last batch.
        plan: the plan, for a training that does not consist of complete epochs.
        evaluate: measures the model at fixed weights and keeps the state of its metrics; without
            it, the rows hold the results of Keras' own validation.
        points: with `evaluate`, the steps after which the model is measured, ascending.
        on_row: called with every new row.
        measures_untrained: whether `evaluate` measures the model when the training begins.
    """

    kept = ("epoch", "rows", "evaluate_seconds", "_train_seconds", "_updates")

    def __init__(
        self,
        train_examples: int,
        batch_size: int,
        *,
        epochs: int | None = None,
        partial_batch: PartialBatch = "keep",
        plan: Plan | None = None,
        evaluate: Callable[[], dict[str, float]] | None = None,
        points: Iterator[int] | None = None,
        on_row: Callable[[Row], None] | None = None,
        measures_untrained: bool = True,
    ) -> None:
        super().__init__(plan or plan_of_epochs(train_examples, batch_size, epochs, partial_batch))
        self.rows: list[Row] = []
        self.evaluate_seconds = 0.0
        self._evaluate, self.accepts_epochs = evaluate, evaluate is not None
        self._points = points or iter(())
        self._next = next(self._points, None)
        self._on_row, self._measures_untrained = on_row, measures_untrained
        self._train_seconds = 0.0
        self._since: float | None = None
        self._updates = 0

    @property
    def train_seconds(self) -> float:
        """The seconds spent in training so far, without evaluation and compilation."""
        running = time.perf_counter() - self._since if self._since is not None else 0.0
        return self._train_seconds + running

    def pause(self) -> None:
        """Pause the clock of the training."""
        self._train_seconds, self._since = self.train_seconds, None

    def resume(self) -> None:
        """Start the clock of the training again."""
        self._since = time.perf_counter()

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the state of a checkpoint, with the next point after its last row."""
        super().restore(state)
        if self.rows:
            self._pass_points(self.rows[-1]["step"])

    def _pass_points(self, step: int) -> None:
        while self._next is not None and self._next <= step:
            self._next = next(self._points, None)

    def on_train_begin(self, logs: Any = None) -> None:
        """Measure the untrained model."""
        super().on_train_begin(logs)
        self.rows.clear()
        self._train_seconds, self._since = 0.0, None
        self._updates = batches_counted(self.model.optimizer)
        if self._evaluate and self._measures_untrained:
            self._add({}, self.measure())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock of the training."""
        super().on_epoch_begin(epoch, logs)
        self._since = self._since or time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Measure the model if a point is reached."""
        step = self.step(batch)
        if self._evaluate and self._next is not None and step >= self._next:
            self.record(step, logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the logs of Keras for this epoch."""
        if not self._evaluate:
            self.pause()
            self._add(logs or {}, {})

    def record(self, step: int, logs: dict[str, Any]) -> None:
        """Measure the model now, outside the training's clock, and add a row."""
        self._pass_points(step)
        self.pause()
        self._add(logs, self.measure())
        self.resume()

    def measure(self) -> dict[str, float]:
        """Evaluate the model now, and add the time to `evaluate_seconds`."""
        if self._evaluate is None:
            return {}
        start = time.perf_counter()
        measured = self._evaluate()
        self.evaluate_seconds += time.perf_counter() - start
        return measured

    def _add(self, logs: dict[str, Any], measured: dict[str, float]) -> None:
        step = batches_counted(self.model.optimizer) - self._updates
        position = self.plan.position(step)
        # A float32 widened to a double would show as 0.0010000000474974513.
        rate = str(np.float32(self.model.optimizer.learning_rate))
        row: Row = {
            "epoch": position.epochs_done,
            "step": step,
            "examples": position.examples,
            "seconds": round(self.train_seconds, 6),
            "learning_rate": float(rate),
            **{name: float(value) for name, value in logs.items() if name != "learning_rate"},
            **measured,
        }
        self.rows.append(row)
        if self._on_row:
            self._on_row(row)

    @property
    def history(self) -> "pd.DataFrame":
        """The rows as a DataFrame with the columns of history.csv."""
        import pandas as pd

        return pd.DataFrame(self.rows)
