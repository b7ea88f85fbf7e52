"""The callback that counts steps; usable in any `model.fit`.

    counter = kerasbatch.StepCounter(train_examples=len(x), batch_size=16)
    model.fit(x, y, batch_size=16, epochs=5, callbacks=[counter])
    counter.check()      # raises StepMismatchError if a step is missing or doubled

`kerasbatch run` uses the same callback. A count that it cannot observe is empty, never 0.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kerasbatch import step_check
from kerasbatch.callbacks.base import PlannedCallback, plan_of_epochs
from kerasbatch.columns import STEP_COLUMNS
from kerasbatch.engine.program.step_counts import StepCounts
from kerasbatch.errors import StepMismatchError
from kerasbatch.step_check import Ending, ObservedEpoch
from kerasbatch.steps import Plan
from kerasbatch.types import PartialBatch, Row

if TYPE_CHECKING:
    import pandas as pd


_COUNTING = threading.Lock()
"""Held while a batch is counted."""


class StepCounter(PlannedCallback):
    """Counts batches, updates and examples of every epoch and compares them with the plan.

    The verdict `ok` proves that Keras produced the planned batches, that the optimizer counted an
    update for each of them, and that the loss metric averaged over the planned rows. For a custom
    `train_step`, it does not prove that an update used all rows of its batch, or changed the
    weights: a step that computes its gradient from the first row alone, or that raises the counter
    without an update, is counted like any other. A count that is not available (no loss metric,
    several batches at once) is an empty cell and is not compared.

    Args:
        train_examples: the number of examples that `fit` trains on, without a validation split.
        batch_size: the batch size that `fit` is called with.
        epochs: the number of epochs, by default that of `fit`.
        partial_batch: `drop` if the data leave out the smaller last batch.
        plan: the plan, for a training that does not consist of complete epochs.
        counts: returns Keras' counts after the epoch whose hooks are called; by default those of
            the model, which are others once it has trained a later epoch.
        examples_match: returns for an epoch (from 1) and its number of steps whether they used
            the right examples; without it, examples are counted but not identified.

    Example:
        >>> counter = StepCounter(train_examples=60_000, batch_size=16)
        >>> model.fit(x, y, batch_size=16, epochs=5, callbacks=[counter])
        >>> counter.check()
        'ok'
    """

    kept = ("epoch", "rows", "_batches", "_updates", "_examples", "_open")
    async_safe = True  # only counts, so Keras does not have to wait for it after every batch

    def __init__(
        self,
        train_examples: int,
        batch_size: int,
        *,
        epochs: int | None = None,
        partial_batch: PartialBatch = "keep",
        plan: Plan | None = None,
        counts: Callable[[], StepCounts] | None = None,
        examples_match: Callable[[int, int], bool | None] | None = None,
    ) -> None:
        super().__init__(plan or plan_of_epochs(train_examples, batch_size, epochs, partial_batch))
        self.rows: list[Row] = []
        self._counts, self.accepts_epochs = counts, counts is not None
        self._examples_match = examples_match
        self.ending: Ending | None = None
        self._batches: int | None = 0
        self._updates = 0
        self._examples: int | None = None
        self._open = False
        self._has_single_steps = True

    def on_train_begin(self, logs: Any = None) -> None:
        """Clear the rows of an earlier training."""
        super().on_train_begin(logs)
        self._has_single_steps = self.model.steps_per_execution == 1
        self.rows.clear()
        self.ending = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Store the counters at the start of the epoch."""
        super().on_epoch_begin(epoch, logs)
        self._open = True
        self._batches, self._examples = 0, None
        self._updates = self._counted().updates

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count a batch; with steps_per_execution above 1, batches cannot be counted.

        Keras calls this in threads, where a look at `self.model` would move its state on JAX, and
        where a later batch may come first.
        """
        with _COUNTING:
            last = max(self._batches or 0, batch + 1)
            self._batches = last if self._has_single_steps else None

    def on_test_begin(self, logs: Any = None) -> None:
        """Read the count of examples before a validation resets its metric."""
        if self._open and self._examples is None:
            self._examples = self._counted().examples

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compare the epoch with its plan."""
        is_complete = not step_check.is_failure(self.ending)
        if self._examples is None and is_complete:
            self._examples = self._counted().examples
        updates = self._counted().updates - self._updates
        matches = None
        if self._examples_match is not None and is_complete:
            matches = self._examples_match(epoch + 1, updates)
        observed = ObservedEpoch(updates, self._batches, self._examples, matches)
        stopped = self.ending or ("early_stop" if self.model.stop_training else None)
        self.rows.append(step_check.check_row(self.plan, epoch + 1, observed, stopped))
        self._open = False

    def end(self, ending: Ending) -> None:
        """Set the reason for the early end of the training, and close an open epoch.

        An interrupt may fall between an update and the call that counts its batch, so the number of
        batches of the open epoch is unknown; updates and examples are known. An error may fall
        inside a step; then the number of examples is unknown too.
        """
        self.ending = ending
        if self._open and self._counted().updates > self._updates:
            self._batches = None
            self.on_epoch_end(self.epoch)

    def _counted(self) -> StepCounts:
        return StepCounts.of(self.model) if self._counts is None else self._counts()

    @property
    def observed_steps(self) -> int:
        """The number of steps that the optimizer counted in all epochs."""
        return sum(row["observed_steps"] for row in self.rows)

    def verdict(self) -> str:
        """Return the check of the complete training, as in runs.csv."""
        stopped = self.rows and self.model.stop_training
        ending: Ending | None = self.ending or ("early_stop" if stopped else None)
        return step_check.run_check(self.plan, self.rows, ending)

    def check(self) -> str:
        """Return the check of the complete training.

        Raises:
            StepMismatchError: if the observed steps differ from the planned steps.
        """
        verdict = self.verdict()
        if step_check.is_mismatch(verdict):
            planned, observed = self.plan.total_steps, self.observed_steps
            raise StepMismatchError(f"{verdict} ({observed:,} steps observed, {planned:,} planned)")
        return verdict

    @property
    def steps(self) -> "pd.DataFrame":
        """The check of every epoch as a DataFrame with the columns of steps.csv."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(STEP_COLUMNS))
