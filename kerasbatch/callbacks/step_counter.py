"""The callback that counts steps; usable in anybody's `model.fit`.

    counter = kerasbatch.StepCounter(train_examples=len(x), batch_size=16)
    model.fit(x, y, batch_size=16, epochs=5, callbacks=[counter])
    counter.check()      # raises StepMismatchError if a step is missing or doubled

`kerasbatch run` uses the same one. What it cannot see it leaves empty, never 0.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from kerasbatch import step_check
from kerasbatch.callbacks.base import PlannedCallback, plan_of_epochs
from kerasbatch.columns import STEP_COLUMNS
from kerasbatch.engine.keras_private import batches_counted
from kerasbatch.errors import StepMismatchError
from kerasbatch.step_check import Ending, ObservedEpoch
from kerasbatch.steps import Plan
from kerasbatch.types import PartialBatch, Row

if TYPE_CHECKING:
    import pandas as pd


def examples_counted(model: keras.Model) -> int | None:
    """Return the rows that Keras' loss metric has averaged over since it was reset.

    None where a custom train_step does not use that metric.
    """
    tracker = next((metric for metric in model.metrics if metric.name == "loss"), None)
    count = round(float(tracker.count)) if tracker is not None and hasattr(tracker, "count") else 0
    return count or None


class StepCounter(PlannedCallback):
    """Counts batches, updates and examples of every epoch and compares them with the plan.

    What `ok` proves: Keras handed out the planned batches, the optimizer counted an update for each
    of them, and the loss metric averaged over the planned rows. What it cannot prove, for a
    `train_step` of one's own: that an update used all rows of its batch, or changed the weights.
    A step that computes its gradient from the first row alone, or that raises the counter without
    an update, is counted like any other. What a step leaves uncounted (no loss metric, several
    batches at once) is an empty cell and is not compared.

    Args:
        train_examples: n, the examples that `fit` trains on (without a validation split).
        batch_size: the batch size that `fit` is called with.
        epochs: the epochs, by default those that `fit` is called with.
        partial_batch: `drop` if the data leave the smaller last batch out.
        plan: the plan, where it is none of whole epochs.
        examples_match: tells of an epoch (from 1) and its number of steps whether they met the
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
        epochs: int | None = None,
        partial_batch: PartialBatch = "keep",
        plan: Plan | None = None,
        examples_match: Callable[[int, int], bool | None] | None = None,
    ) -> None:
        super().__init__(plan or plan_of_epochs(train_examples, batch_size, epochs, partial_batch))
        self.rows: list[Row] = []
        self._examples_match = examples_match
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
        super().on_epoch_begin(epoch, logs)
        self._open = True
        self._batches, self._examples = 0, None
        self._updates = batches_counted(self.model.optimizer)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count a batch; several at once, and so not countable, with steps_per_execution."""
        self._batches = batch + 1 if self.model.steps_per_execution == 1 else None

    def on_test_begin(self, logs: Any = None) -> None:
        """Read the examples before a validation resets the metric that counts them."""
        if self._open and self._examples is None:
            self._examples = examples_counted(self.model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compare the epoch with its plan."""
        whole_step = self.ending != "failed"  # or an error cut it off in the middle
        if self._examples is None and whole_step:
            self._examples = examples_counted(self.model)
        updates = batches_counted(self.model.optimizer) - self._updates
        right = None
        if self._examples_match is not None and whole_step:
            right = self._examples_match(epoch + 1, updates)
        seen = ObservedEpoch(updates, self._batches, self._examples, right)
        stopped = self.ending or ("early_stop" if self.model.stop_training else None)
        self.rows.append(step_check.check_row(self.plan, epoch + 1, seen, stopped))
        self._open = False

    def end(self, ending: Ending) -> None:
        """Say why the training was cut off, and close the epoch if one is open.

        An interrupt may fall between an update and the callback that would have counted its
        batch, so the batches of the open epoch are not known; updates and examples are. An error
        may fall inside a step; then the examples are not known either.
        """
        self.ending = ending
        if self._open and batches_counted(self.model.optimizer) > self._updates:
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
        return step_check.run_check(self.plan, self.rows, ending)

    def check(self) -> str:
        """Return the check of the whole training.

        Raises:
            StepMismatchError: if the steps taken are not the steps planned.
        """
        found = self.verdict()
        if step_check.is_mismatch(found):
            planned, observed = self.plan.total_steps, self.observed_steps
            raise StepMismatchError(f"{found} ({observed:,} steps observed, {planned:,} planned)")
        return found

    @property
    def steps(self) -> "pd.DataFrame":
        """The check of every epoch as a DataFrame with the columns of steps.csv."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(STEP_COLUMNS))
