"""Passes evaluations to the callbacks of a spec, like the validation results of Keras."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from kerasbatch.callbacks.base import PlannedCallback
from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.steps import Plan
from kerasbatch.types import Row


class EvaluationRelay(PlannedCallback):
    """Adds evaluations to the logs that the callbacks of a spec receive.

    It comes before those callbacks. It calls them at the end of an epoch only if there was an
    evaluation, so that a `patience` counts evaluations.

    Args:
        plan: the plan of the training.
        latest: returns the row of the last evaluation.
        callbacks: the callbacks of the spec.
        evaluated_weights: a context in which the model has the weights that were evaluated.
    """

    accepts_epochs = True
    kept = ("epoch", "_last_step", "_evaluated")

    def __init__(
        self,
        plan: Plan,
        latest: Callable[[], Row],
        callbacks: Sequence[keras.callbacks.Callback],
        evaluated_weights: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        super().__init__(plan)
        self._evaluated_weights = evaluated_weights
        self.stopped_by: keras.callbacks.Callback | None = None
        self._latest, self._last_step, self._evaluated = latest, 0, False
        self._callbacks = callbacks
        for callback in callbacks:
            callback.on_epoch_end = self._if_evaluated(callback, callback.on_epoch_end)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the evaluation at the end of this epoch to the logs, if there was one."""
        row = self._latest()
        self._evaluated = row["step"] > self._last_step
        self._last_step = row["step"]
        if self._evaluated and logs is not None:
            logs |= {name: value for name, value in row.items() if name not in HISTORY_COLUMNS}

    def restored_epoch(self) -> int | None:
        """Return the epoch (from 1) whose weights EarlyStopping restored at the end, if any."""
        for callback in self._callbacks:
            is_stopping = isinstance(callback, keras.callbacks.EarlyStopping)
            if is_stopping and callback.restore_best_weights and callback.best_weights is not None:
                return int(callback.best_epoch) + 1
        return None

    def _if_evaluated(
        self, callback: keras.callbacks.Callback, original: Callable[..., None]
    ) -> Callable[..., None]:
        def on_epoch_end(epoch: int, logs: Any = None) -> None:
            if not self._evaluated:
                return
            before = self.model.stop_training
            with self._evaluated_weights():
                original(epoch, logs)
            if self.model.stop_training and not before:
                self.stopped_by = callback

        return on_epoch_end
