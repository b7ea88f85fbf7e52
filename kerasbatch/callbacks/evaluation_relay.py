"""Lets the callbacks of a spec hear of evaluations, as they hear of Keras' own validation."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from kerasbatch.callbacks.base import PlannedCallback
from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.steps import Plan
from kerasbatch.types import Row


class EvaluationRelay(PlannedCallback):
    """Stands before the callbacks of a spec, and tells them what was measured.

    Keras' logs of an epoch hold no evaluation of ours; it is added to them here. The others hear of
    the ends of those epochs only at which there was an evaluation, so that a `patience` counts
    evaluations.

    Args:
        plan: the plan of the training.
        latest: returns the row of the last evaluation.
        others: the callbacks of the spec, which come behind this one.
    """

    def __init__(
        self, plan: Plan, latest: Callable[[], Row], others: Sequence[keras.callbacks.Callback]
    ) -> None:
        super().__init__(plan)
        self.stopped_by: keras.callbacks.Callback | None = None
        self._latest, self._last_step, self._evaluated = latest, 0, False
        for each in others:
            each.on_epoch_end = self._if_evaluated(each, each.on_epoch_end)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add what the evaluation at the end of this epoch found, if there was one."""
        row = self._latest()
        self._evaluated = row["step"] > self._last_step
        self._last_step = row["step"]
        if self._evaluated and logs is not None:
            logs |= {name: value for name, value in row.items() if name not in HISTORY_COLUMNS}

    def _if_evaluated(
        self, callback: keras.callbacks.Callback, hear: Callable[..., None]
    ) -> Callable[..., None]:
        def on_epoch_end(epoch: int, logs: Any = None) -> None:
            if not self._evaluated:
                return
            before = self.model.stop_training
            hear(epoch, logs)
            if self.model.stop_training and not before:
                self.stopped_by = callback

        return on_epoch_end
