"""The callback that ends a training: at its target, or where it has diverged."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerasbatch.callbacks.base import PlannedCallback
from kerasbatch.engine.training import divergence
from kerasbatch.step_check import Ending
from kerasbatch.steps import Plan
from kerasbatch.types import Row


@dataclass(frozen=True)
class StepLoss:
    """An epoch (from 1), a step, and the loss there."""

    epoch: int
    step: int
    loss: float


class Stopping(PlannedCallback):
    """Ends a training that has diverged or reached its target, and says where.

    The engine stops at the step whose loss diverges; what an evaluation shows is looked at here.

    Args:
        plan: the plan of the training.
        diverged_loss: returns the loss of the step at which the engine stopped, or None.
        evaluated_loss: the column of the evaluated loss.
        reaches: tells of the row of an evaluation whether it passes the target.
        stop_at_target: whether the training ends there.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        diverged_loss: Callable[[], float | None],
        evaluated_loss: str,
        reaches: Callable[[Row], bool],
        stop_at_target: bool,
    ) -> None:
        super().__init__(plan)
        self.ending: Ending | None = None
        self.diverged: StepLoss | None = None
        self.reached: Row | None = None
        self._diverged_loss, self._evaluated_loss = diverged_loss, evaluated_loss
        self._reaches, self._stop_at_target = reaches, stop_at_target
        self._untrained: float | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ask the engine whether it stopped."""
        if (loss := self._diverged_loss()) is not None:
            self._diverge(self.step(batch), loss)

    def look(self, row: Row) -> None:
        """Look at the row of an evaluation; the untrained model reaches nothing."""
        loss = row.get(self._evaluated_loss)
        if row["step"] == 0:
            self._untrained = loss
            return
        if self._is_far(loss):
            self._diverge(row["step"], float(row[self._evaluated_loss]))
        if self.reached is None and self._reaches(row):
            self.reached = row
            if self._stop_at_target:
                self._end("target_reached")

    def _is_far(self, loss: float | None) -> bool:
        untrained = self._untrained
        if loss is None:
            return False
        if not math.isfinite(loss):
            return True
        return bool(untrained and loss > divergence.FACTOR * abs(untrained))

    def _diverge(self, step: int, loss: float) -> None:
        self.diverged = self.diverged or StepLoss(self.epoch + 1, step, loss)
        self._end("diverged")

    def _end(self, ending: Ending) -> None:
        self.ending = self.ending or ending
        self.model.stop_training = True
