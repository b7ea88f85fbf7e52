"""The callback that writes the checkpoints of a run, and goes on from one."""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from kerasbatch.callbacks.base import PlannedCallback
from kerasbatch.engine.program.step_counts import StepCounts
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.start import Training
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.spec.stored_schema import CheckpointEvery
from kerasbatch.steps import Plan
from kerasbatch.types import EveryKind


class StatePart(Protocol):
    """A part of a training with a state."""

    def state(self) -> State:
        """Return the state between two steps."""

    def restore(self, state: State) -> None:
        """Continue from a state."""


class Clock(Protocol):
    """The clock of a training."""

    def pause(self) -> None:
        """Stop the clock."""

    def resume(self) -> None:
        """Start the clock again."""


class StateWriter(Protocol):
    """Writes the states of a training."""

    def write(self, step: int, state: State) -> None:
        """Write the state after a step."""


def checkpoint_steps(every: CheckpointEvery | None, plan: Plan) -> Iterator[int]:
    """Yield the steps after which a checkpoint is due, ascending; by minutes, none is known."""
    if every is None or every.minutes is not None:
        return
    kind: EveryKind = "epochs" if every.epochs is not None else "steps"
    yield from plan.evaluation_steps(kind, float(every.epochs or every.steps or 0))


class Checkpointer(PlannedCallback):
    """Writes checkpoints, between two steps, after all other callbacks; or goes on from one.

    A checkpoint holds the position in the epoch and the state of every part. When it is written,
    the clock of the training stands still.

    Args:
        plan: the plan of the training.
        every: the distance of checkpoints; None writes none.
        training: its engine; only the fused one can go on inside an epoch.
        parts: the parts of the training, by name.
        writer: writes the state after a step.
        clock: its clock, or None.
        start: the state from which the training goes on, or None.

    Attributes:
        position: the epoch and the steps of it after which the training begins.
    """

    accepts_epochs = True

    def __init__(
        self,
        plan: Plan,
        every: CheckpointEvery | None,
        *,
        training: Training,
        parts: Mapping[str, StatePart],
        writer: StateWriter,
        clock: Clock | None,
        start: State | None,
    ) -> None:
        super().__init__(plan)
        self._every, self._parts, self._clock = every, parts, clock
        self._training, self._writer, self._start = training, writer, start
        self.position = (0, 0) if start is None else (start["epoch"], start["steps"])
        self._inside_epochs = isinstance(training, FusedTraining)
        self._steps = checkpoint_steps(every, plan)
        self._due = next(self._steps, math.inf)
        self._written = 0
        self._time = time.monotonic()
        self._stop_requested = self._is_whole = False

    @contextlib.contextmanager
    def deferred_stop(self) -> Iterator[None]:
        """Defer a KeyboardInterrupt in the context until a checkpoint is written, if any is."""
        try:
            yield
        except KeyboardInterrupt:
            if self._every is None or not self._inside_epochs:
                raise
            self._stop_requested = True

    def on_train_begin(self, logs: Any = None) -> None:
        """Go on at the beginning of an epoch."""
        super().on_train_begin(logs)
        if self._start is not None and not self._start["steps"]:
            self._restore(self._start)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Go on inside an epoch."""
        super().on_epoch_begin(epoch, logs)
        if self._start is not None:
            self._restore(self._start)

    def _restore(self, start: State) -> None:
        for name, part in self._parts.items():
            part.restore(start["parts"][name])
        self._pass_steps(start["step"])
        self._written, self._start = start["step"], None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Write a checkpoint inside an epoch if it is due."""
        if self._every is None:
            return
        self._is_whole = batch + 1 >= self.plan.epoch_plan(self.epoch + 1).steps
        if self._inside_epochs and not self._is_whole and not self.model.stop_training:
            self._write_if_due(self.epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write a checkpoint between two epochs if it is due; the last one always is.

        Not where the training ends before its budget: then there is nothing to go on with.
        """
        if self._is_whole and not self.model.stop_training:
            self._write_if_due(epoch + 1, 0)

    def _step(self, epoch: int, steps: int) -> int:
        """Return the steps of the run before a position."""
        return min(self.plan.step_after(epoch, steps - 1), self.plan.total_steps)

    def _write_if_due(self, epoch: int, steps: int) -> None:
        """Write a checkpoint for a position, and end the training if that was requested."""
        step = self._step(epoch, steps)
        if not self._is_present() or not (self._stop_requested or self._is_due(step)):
            return
        if step > self._written:
            if self._clock:
                self._clock.pause()
            state = {name: part.state() for name, part in self._parts.items()}
            self._writer.write(step, {"epoch": epoch, "steps": steps, "step": step, "parts": state})
            if self._clock:
                self._clock.resume()
            self._written, self._time = step, time.monotonic()
        self._pass_steps(step)
        if self._stop_requested:
            raise KeyboardInterrupt

    def _is_present(self) -> bool:
        """Return whether the model has the state of this hook, and not that of a later epoch."""
        return self._training.counts().updates == StepCounts.of(self.model).updates

    def _is_due(self, step: int) -> bool:
        minutes = self._every.minutes if self._every else None
        if minutes is not None:
            is_last = step >= self.plan.total_steps
            return is_last or time.monotonic() - self._time >= 60 * minutes
        return step >= self._due

    def _pass_steps(self, step: int) -> None:
        while self._due <= step:
            self._due = next(self._steps, math.inf)
