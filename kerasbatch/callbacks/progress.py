"""Progress of a training, reported a few times a second."""

import time
from collections.abc import Callable
from typing import Any

from kerasbatch.callbacks.base import PlannedCallback
from kerasbatch.steps import Plan
from kerasbatch.types import Progress


class ProgressReporter(PlannedCallback):
    """Reports progress a few times a second, and at the end.

    Args:
        plan: the plan of the training.
        report: called with the progress.
    """

    accepts_epochs = True
    kept = ("epoch", "_step")
    INTERVAL = 0.2

    def __init__(self, plan: Plan, report: Callable[[Progress], None]) -> None:
        super().__init__(plan)
        self._report = report
        self._step = 0
        self._last: tuple[int, float] | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Store the epoch, and start the clock at the first one."""
        super().on_epoch_begin(epoch, logs)
        self._last = self._last or (self._step, time.perf_counter())

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the step of a checkpoint; the clock starts there."""
        super().restore(state)
        self._last = (self._step, time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report the progress, unless the last report is too recent."""
        now, step = time.perf_counter(), self.step(batch)
        last_step, last_time = self._last or (0, now)
        self._step = step
        if now - last_time < self.INTERVAL and step < self.plan.total_steps:
            return
        speed = (step - last_step) / (now - last_time) if now > last_time else None
        loss = (logs or {}).get("loss")
        self._report(
            Progress(
                step=step,
                total_steps=self.plan.total_steps,
                epoch=self.epoch + 1,
                examples_per_second=speed * self.plan.batch_size if speed else None,
                loss=None if loss is None else float(loss),
                seconds_left=(self.plan.total_steps - step) / speed if speed else None,
            )
        )
        self._last = (step, now)
