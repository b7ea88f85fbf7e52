"""Callbacks that watch a training: divergence, the target, progress."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from kerasbatch.callbacks.recorder import Recorder
from kerasbatch.callbacks.step_counter import Planned, Row


class Diverged(Planned):
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


class Reporter(Planned):
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


class StopAtTarget(keras.callbacks.Callback):
    """Ends a training at the first evaluation that passes the target.

    Args:
        reached: tells of the row of an evaluation whether it passes the target.
        recorder: where the evaluations are.
        stop: called when one has passed it.
    """

    hears_blocks = True

    def __init__(
        self, reached: Callable[[Row], bool], recorder: Recorder, stop: Callable[[], None]
    ) -> None:
        super().__init__()
        self._reached, self._recorder, self._stop = reached, recorder, stop
        self._seen = 1  # the untrained model reaches nothing

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the evaluation that is new, if there is one."""
        if len(self._recorder.rows) > self._seen:
            self._seen = len(self._recorder.rows)
            if self._reached(self._recorder.rows[-1]):
                self._stop()
