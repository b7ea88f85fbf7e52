"""Keras callbacks that count steps and record a history; usable in anybody's `model.fit`.

    counter = kerasbatch.StepCounter(train_examples=len(x), batch_size=16)
    recorder = kerasbatch.Recorder(train_examples=len(x), batch_size=16)
    model.fit(x, y, batch_size=16, epochs=5, callbacks=[counter, recorder])
    counter.check()      # raises StepMismatch if a step is missing or doubled
    recorder.history     # a DataFrame, the columns of history.csv

`kerasbatch run` uses the same two. What they cannot see they leave empty, never 0.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasbatch import stepcheck
from kerasbatch.errors import KerasbatchError, StepMismatch
from kerasbatch.stepcheck import Ending, Observed
from kerasbatch.steps import Budget, PartialBatch, Plan, plan

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
HISTORY_COLUMNS = ("epoch", "step", "examples", "seconds", "learning_rate")


def updates_done(model: keras.Model) -> int:
    """Return the optimizer's own count of steps.

    With gradient accumulation, `optimizer.iterations` counts changes of the weights; the counter
    behind it counts every batch, and that is what a plan speaks of.
    """
    optimizer = model.optimizer
    return int(getattr(optimizer, "_iterations", optimizer.iterations))


def examples_counted(model: keras.Model) -> int | None:
    """Return the rows that Keras' loss metric has averaged over since it was reset.

    None where a custom train_step does not use that metric.
    """
    tracker = next((metric for metric in model.metrics if metric.name == "loss"), None)
    count = round(float(tracker.count)) if tracker is not None and hasattr(tracker, "count") else 0
    return count or None


class _Planned(keras.callbacks.Callback):
    """A callback that knows the plan of the training and the step it is at.

    It need not hear of every batch: the last one of a block of steps is enough.
    """

    hears_blocks = True

    def __init__(
        self,
        train_examples: int,
        batch_size: int,
        *,
        epochs: int | None = None,
        partial_batch: PartialBatch = "keep",
    ) -> None:
        super().__init__()
        self._plan = (train_examples, batch_size, epochs, partial_batch)
        self.plan: Plan | None = None
        self.epoch = 0

    @classmethod
    def of(cls, made: Plan, **options: Any) -> Any:
        """Make the callback for a plan that is there already."""
        callback = cls(made.train_examples, made.batch_size, **options)
        callback.plan = made
        return callback

    def on_train_begin(self, logs: Any = None) -> None:
        """Make the plan, if there is none, with the epochs that `fit` was called with."""
        if self.plan is None:
            train_examples, batch_size, epochs, partial_batch = self._plan
            budget = Budget("epochs", epochs or int(self.params["epochs"]))
            self.plan = plan(train_examples, batch_size, budget, partial_batch)

    def _the_plan(self) -> Plan:
        if self.plan is None:
            raise KerasbatchError("this callback has not been used in a model.fit yet")
        return self.plan

    def _step(self, batch: int) -> int:
        """Return the step of the run after batch number `batch` (from 0) of this epoch."""
        return self.epoch * self._the_plan().steps_per_epoch + batch + 1


class StepCounter(_Planned):
    """Counts batches, updates and examples of every epoch and compares them with the plan.

    Args:
        train_examples: n, the examples that `fit` trains on (without a validation split).
        batch_size: the batch size that `fit` is called with.
        epochs: the epochs, by default those that `fit` is called with.
        partial_batch: `drop` if the data leave the smaller last batch out.
        right_examples: tells of an epoch (from 1) and its number of steps whether they met the
            examples that they should; without it, examples are counted but not told apart.

    Example:
        >>> counter = StepCounter(train_examples=60_000, batch_size=16)
        >>> model.fit(x, y, batch_size=16, epochs=5, callbacks=[counter])
        >>> counter.check()
        'ok'
    """

    async_safe = True  # it only counts, so Keras need not wait for it after every batch

    def __init__(
        self,
        train_examples: int,
        batch_size: int,
        *,
        right_examples: Callable[[int, int], bool | None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(train_examples, batch_size, **options)
        self.rows: list[Row] = []
        self._right_examples = right_examples
        self.ending: Ending | None = None
        self._batches: int | None = 0
        self._updates = 0
        self._examples: int | None = None
        self._open = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin anew, where the callback was used before."""
        super().on_train_begin(logs)
        self.rows.clear()
        self.ending = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note where the counters stand."""
        self.epoch, self._open = epoch, True
        self._batches, self._examples = 0, None
        self._updates = updates_done(self.model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count a batch; several at once, and so not countable, with steps_per_execution."""
        self._batches = batch + 1 if self.model.steps_per_execution == 1 else None

    def on_test_begin(self, logs: Any = None) -> None:
        """Read the examples before a validation resets the metric that counts them."""
        if self._open and self._examples is None:
            self._examples = examples_counted(self.model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compare the epoch with its plan."""
        if self._examples is None:
            self._examples = examples_counted(self.model)
        updates = updates_done(self.model) - self._updates
        right = self._right_examples(epoch + 1, updates) if self._right_examples else None
        seen = Observed(updates, self._batches, self._examples, right)
        stopped = self.ending or ("early_stop" if self.model.stop_training else None)
        self.rows.append(stepcheck.row(self._the_plan(), epoch + 1, seen, stopped))
        self._open = False

    def end(self, ending: Ending) -> None:
        """Say why the training was cut off, and close the epoch if one is open.

        An interrupt may fall between an update and the callback that would have counted its
        batch, so the batches of the open epoch are not known; updates and examples are.
        """
        self.ending = ending
        if self._open and updates_done(self.model) > self._updates:
            self._batches = None
            self.on_epoch_end(self.epoch)

    @property
    def observed_steps(self) -> int:
        """The steps counted by the optimizer, over all epochs."""
        return sum(row["observed_steps"] for row in self.rows)

    def verdict(self) -> str:
        """Return the check of the whole training, as runs.csv writes it."""
        stopped = self.rows and self.model.stop_training
        ending: Ending | None = self.ending or ("early_stop" if stopped else None)
        return stepcheck.total(self._the_plan(), self.rows, ending)

    def check(self) -> str:
        """Return the check of the whole training.

        Raises:
            StepMismatch: if the steps taken are not the steps planned.
        """
        found = self.verdict()
        if found.startswith("mismatch"):
            planned, observed = self._the_plan().total_steps, self.observed_steps
            raise StepMismatch(f"{found} ({observed:,} steps observed, {planned:,} planned)")
        return found

    @property
    def steps(self) -> "pd.DataFrame":
        """The check of every epoch as a DataFrame with the columns of steps.csv."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(stepcheck.COLUMNS))


class Recorder(_Planned):
    """Records a row at the end of every epoch, or at chosen steps with an evaluation.

    Args:
        train_examples: n, the examples that `fit` trains on.
        batch_size: the batch size that `fit` is called with.
        epochs: the epochs, by default those that `fit` is called with.
        partial_batch: `drop` if the data leave the smaller last batch out.
        evaluate: measures the model at fixed weights and leaves its metrics as they were; without
            it, the rows hold what Keras' own validation found.
        points: with `evaluate`, the steps after which to measure, ascending.
        on_row: called with every new row.
    """

    def __init__(
        self,
        train_examples: int,
        batch_size: int,
        *,
        evaluate: Callable[[], dict[str, float]] | None = None,
        points: Iterator[int] | None = None,
        on_row: Callable[[Row], None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(train_examples, batch_size, **options)
        self.rows: list[Row] = []
        self.evaluate_seconds = 0.0
        self._evaluate = evaluate
        self._points = points or iter(())
        self._next = next(self._points, None)
        self._on_row = on_row
        self._train_seconds = 0.0
        self._since: float | None = None
        self._updates = 0

    @property
    def train_seconds(self) -> float:
        """The seconds spent in training so far, without evaluation and compilation."""
        running = time.perf_counter() - self._since if self._since is not None else 0.0
        return self._train_seconds + running

    def pause(self) -> None:
        """Stop the clock of the training."""
        self._train_seconds, self._since = self.train_seconds, None

    def on_train_begin(self, logs: Any = None) -> None:
        """Measure the untrained model."""
        super().on_train_begin(logs)
        self.rows.clear()
        self._train_seconds, self._since = 0.0, None
        self._updates = updates_done(self.model)
        if self._evaluate:
            self._add({}, self.measure())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Let the clock run."""
        self.epoch = epoch
        self._since = self._since or time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Measure the model where a point is reached."""
        step = self._step(batch)
        if self._evaluate and self._next is not None and step >= self._next:
            self.record(step, logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record what Keras found in this epoch."""
        if not self._evaluate:
            self.pause()
            self._add(logs or {}, {})

    def record(self, step: int, logs: dict[str, Any]) -> None:
        """Measure the model now, outside the training's clock, and add a row."""
        while self._next is not None and self._next <= step:
            self._next = next(self._points, None)
        self.pause()
        self._add(logs, self.measure())
        self._since = time.perf_counter()

    def measure(self) -> dict[str, float]:
        """Evaluate the model now; the seconds are added to those of evaluation."""
        if self._evaluate is None:
            return {}
        start = time.perf_counter()
        measured = self._evaluate()
        self.evaluate_seconds += time.perf_counter() - start
        return measured

    def _add(self, logs: dict[str, Any], measured: dict[str, float]) -> None:
        step = updates_done(self.model) - self._updates
        position = self._the_plan().position(step)
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


class Diverged(_Planned):
    """Ends a training whose loss is not finite, or far above that of the untrained model.

    Args:
        untrained: returns the loss of the untrained model, or None while it is unknown.
        stop: called once, when the training has diverged.
    """

    FACTOR = 1000.0

    def __init__(
        self,
        train_examples: int,
        batch_size: int,
        *,
        untrained: Callable[[], float | None],
        stop: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(train_examples, batch_size, **options)
        self._untrained = untrained
        self._stop = stop
        self.at: Place | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the running loss of the epoch."""
        loss = (logs or {}).get("loss")
        if loss is not None:
            self.look(float(loss), self._step(batch))

    def look(self, loss: float, step: int) -> None:
        """Look at a loss, running or evaluated, after some step."""
        if self.at is None and self._is_far(loss):
            self.at = Place(self.epoch + 1, step, loss)
            self._stop()

    def _is_far(self, loss: float) -> bool:
        start = self._untrained()
        return not math.isfinite(loss) or bool(start and loss > self.FACTOR * abs(start))


@dataclass(frozen=True)
class Place:
    """An epoch (from 1), a step and the loss there."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True)
class Progress:
    """Where a training stands; the speed is that of the last moments."""

    step: int
    total_steps: int
    epoch: int
    examples_per_second: float | None
    loss: float | None
    seconds_left: float | None


class Reporter(_Planned):
    """Reports progress, a few times a second and at the end.

    Args:
        report: called with the progress.
    """

    INTERVAL = 0.2

    def __init__(
        self,
        train_examples: int,
        batch_size: int,
        *,
        report: Callable[[Progress], None],
        **options: Any,
    ) -> None:
        super().__init__(train_examples, batch_size, **options)
        self._report = report
        self._last = (0, time.perf_counter())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the epoch."""
        self.epoch = epoch
        if epoch == 0:
            self._last = (0, time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report, if the last report is old enough."""
        step, (last_step, last_time), now = self._step(batch), self._last, time.perf_counter()
        made = self._the_plan()
        if now - last_time < self.INTERVAL and step < made.total_steps:
            return
        speed = (step - last_step) / (now - last_time) if now > last_time else None
        loss = (logs or {}).get("loss")
        self._report(
            Progress(
                step=step,
                total_steps=made.total_steps,
                epoch=self.epoch + 1,
                examples_per_second=speed * made.batch_size if speed else None,
                loss=None if loss is None else float(loss),
                seconds_left=(made.total_steps - step) / speed if speed else None,
            )
        )
        self._last = (step, now)
