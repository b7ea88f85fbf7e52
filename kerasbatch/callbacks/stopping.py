"""The callback that ends a training at its target or at divergence."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kerasbatch.callbacks.base import PlannedCallback
from kerasbatch.engine import divergence
from kerasbatch.step_check import Ending
from kerasbatch.steps import Plan
from kerasbatch.types import Row


@dataclass(frozen=True)
class StepLoss:
    """An epoch (from 1), a step, and the loss there."""

    epoch: int
    step: int
    loss: float


class StoppingTarget(Protocol):
    """A target of a training, such as the target of a spec."""

    @property
    def metric(self) -> str:
        """The column of the evaluated metric."""

    @property
    def stop(self) -> bool:
        """True if the training ends at the target."""

    def is_reached_by(self, value: float) -> bool:
        """Return whether a value of the metric reaches the target."""


class Stopping(PlannedCallback):
    """Ends a training that has diverged or reached its target.

    The engine stops at the step whose loss diverges; this callback also checks evaluations.

    Args:
        plan: the plan of the training.
        diverged_loss: returns the loss of the step at which the engine stopped, or None.
        evaluated_loss: the column of the evaluated loss.
        target: the target, or None.
        cap: the steps at which the training ends without the target, or None.
    """

    accepts_epochs = True
    kept = ("epoch", "reached", "_untrained_loss")

    def __init__(
        self,
        plan: Plan,
        *,
        diverged_loss: Callable[[], float | None],
        evaluated_loss: str,
        target: StoppingTarget | None,
        cap: int | None = None,
    ) -> None:
        super().__init__(plan)
        self.ending: Ending | None = None
        self.diverged: StepLoss | None = None
        self.reached: Row | None = None
        self._diverged_loss, self._evaluated_loss = diverged_loss, evaluated_loss
        self._target, self._cap = target, cap
        self._untrained_loss: float | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Check whether the engine has stopped."""
        if (loss := self._diverged_loss()) is not None:
            self._diverge(self.step(batch), loss)

    def on_evaluation(self, row: Row) -> None:
        """Check divergence and the target; the untrained model cannot reach a target."""
        loss = row.get(self._evaluated_loss)
        if row["step"] == 0:
            self._untrained_loss = loss
            return
        if self._has_diverged(loss):
            self._diverge(row["step"], float(row[self._evaluated_loss]))
        target = self._target
        if target and self.reached is None and target.is_reached_by(row[target.metric]):
            self.reached = row
            if target.stop:
                self._end("target_reached")
        is_last = row["step"] >= self.plan.total_steps
        may_stop = self._cap is not None and row["step"] >= self._cap
        if may_stop and self.reached is None and not is_last:
            self._end("capped")

    def _has_diverged(self, loss: float | None) -> bool:
        untrained = self._untrained_loss
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
