"""The keras engine: plain `model.fit` on the same batches, pass by pass."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import divergence, keras_fit
from kerasbatch.engine.backend import WatchedStep, backend
from kerasbatch.engine.model_state import (
    all_variables,
    build_optimizer,
    preserve,
)
from kerasbatch.engine.options import NO_NEEDS, Arrays, FitOptions, Needs
from kerasbatch.engine.program.step_counts import StepCounts
from kerasbatch.engine.sources.example_stream import ExampleStream, scale_inputs
from kerasbatch.engine.training.evaluation import rows_at_once
from kerasbatch.steps import Plan


class PlainTraining:
    """One training by plain `model.fit`.

    Args:
        model: a compiled model.
        stream: its examples and their order.
        why: the reason for this engine.
        obstacle: the obstacle to the fused engine, or None if it was not tried.
        needs: the required abilities; XLA is left to the model.
    """

    name = data = "keras"

    def __init__(
        self,
        model: keras.Model,
        stream: ExampleStream,
        *,
        why: str,
        obstacle: str | None = None,
        needs: Needs = NO_NEEDS,
    ) -> None:
        self.model, self.stream = model, stream
        self.why, self.obstacle = why, obstacle
        self.jit_compile = bool(model.jit_compile)
        self.step_losses: list[float] = []
        self.diverged_loss: float | None = None
        self.divergence = divergence.INITIAL
        self.compile_seconds: float | None = None
        self._needs = needs
        self._epoch = 1
        self._watched: WatchedStep | None = None

    def compile(self, evaluated: Arrays) -> None:
        """Compile a step and an evaluation by running and undoing them; record the seconds.

        From then on the training step adds its examples to a checksum.
        """
        start = time.perf_counter()
        build_optimizer(self.model)
        watched = backend().watched_step(self.model, reports_loss=self._needs_losses)
        self._watched = watched
        try:
            with preserve(all_variables(self.model)):
                watched.compile(self._data(lambda: 1))
                self.evaluator(keras.tree.map_structure(lambda part: part[:1], evaluated))()
        except BaseException:
            watched.remove()
            raise
        self.compile_seconds = time.perf_counter() - start

    def for_plan(self, plan: Plan) -> "PlainTraining":
        """Return a training of the same model with another plan."""
        stream = replace(self.stream, plan=plan)
        return PlainTraining(self.model, stream, why=self.why, obstacle=self.obstacle)

    def examples_match(self, epoch: int, steps: int) -> bool | None:
        """Return whether the steps of the last epoch saw the planned examples; None if unknown."""
        if self._watched is None or not self.stream.identifies_examples:
            return None
        return self._watched.checksum == self.stream.checksum(epoch, steps)

    def state(self) -> dict[str, Any]:
        """Return the state between two epochs, beside that of the model, as plain values."""
        losses = np.array(self.step_losses, np.float64)
        return {"step_losses": losses, "divergence": self.divergence, "why": self.why}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue after the epoch of a state, which is that of the model too."""
        self.step_losses[:] = state["step_losses"].tolist()
        self.divergence, self.why = state["divergence"], state["why"]

    def counts(self) -> StepCounts:
        """Return Keras' present counts."""
        return StepCounts.of(self.model)

    def fit(self, options: FitOptions) -> keras.callbacks.History:
        """Train to the end of the plan, or until a callback stops it."""
        stream, model = self.stream, self.model
        # BackupAndRestore sets the initial epoch when the training begins.
        self._epoch = 1 + options.initial_epoch
        data = self._data(lambda: max(self._epoch, 1 + keras_fit.initial_epoch(model)))
        try:
            return model.fit(
                data,
                epochs=stream.epochs,
                steps_per_epoch=stream.steps_per_epoch,
                shuffle=False,
                verbose=options.verbose,
                initial_epoch=options.initial_epoch,
                callbacks=[
                    *self._leading_callbacks(),
                    *options.callbacks,
                    *self._trailing_callbacks(),
                ],
                **(options.validation.as_keras() if options.validation else {}),
            )
        finally:
            if self._watched:
                self._watched.remove()

    def _data(self, epoch: Callable[[], int]) -> Any:
        return backend().plain_data(self.stream, epoch, is_tagged=self._watched is not None)

    @property
    def _needs_losses(self) -> bool:
        return self._needs.record_steps or self._needs.stop_when_diverged

    def _leading_callbacks(self) -> Iterator[keras.callbacks.Callback]:
        """Yield the callbacks that run before those of the caller."""

        def begin(epoch: int, logs: Any) -> None:
            self._epoch = epoch + 1
            if self._watched:
                self._watched.begin_epoch()

        yield keras.callbacks.LambdaCallback(on_epoch_begin=begin)
        if self._watched and self._needs_losses:
            yield _StepLosses(self, self._watched, self._needs)

    def _trailing_callbacks(self) -> Iterator[keras.callbacks.Callback]:
        """Yield the callback that ends a training inside an epoch."""
        if self.stream.plan.ends_inside_an_epoch:
            yield _StopAtEnd(self.stream.plan)

    def evaluator(self, arrays: Arrays) -> Callable[[], dict[str, float]]:
        """Return a function that evaluates the model and preserves its metrics."""
        x, y = arrays
        scale, rows = self.stream.scale, rows_at_once(arrays)

        def evaluate() -> dict[str, float]:
            nonlocal x, scale
            x, scale = scale_inputs(x, scale), None
            keras_fit.attach_state(self.model)
            with preserve(self.model.metrics_variables):
                metrics = self.model.evaluate(x, y, batch_size=rows, verbose=0, return_dict=True)
            return {name: float(value) for name, value in metrics.items()}

        return evaluate


class KerasOwnTraining:
    """A training by `model.fit` with the arguments of the caller; Keras orders the data.

    Args:
        model: a compiled model.
        arguments: the arguments of Keras' `fit`.
        obstacle: the obstacle to every other engine, or None.
        why: the reason for this engine if there is no obstacle.
    """

    name = data = "keras"
    stream = None
    compile_seconds = None

    def __init__(
        self,
        model: keras.Model,
        arguments: dict[str, Any],
        obstacle: str | None,
        why: str,
    ) -> None:
        self._model, self._arguments = model, arguments
        self.obstacle = obstacle
        self.why = f"plain model.fit, {'because ' + obstacle if obstacle else why}"

    def fit(self, options: FitOptions) -> keras.callbacks.History:
        """Train; the arguments hold the options."""
        return self._model.fit(**self._arguments)


class _StepLosses(keras.callbacks.Callback):
    """Records the loss of every step, and stops a training that has diverged."""

    def __init__(self, training: PlainTraining, watched: WatchedStep, needs: Needs) -> None:
        super().__init__()
        self._training, self._watched, self._needs = training, watched, needs

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = self._watched.last_loss
        if self._needs.record_steps:
            self._training.step_losses.append(loss)
        if self._needs.stop_when_diverged:
            state = divergence.next_state(self._training.divergence, loss, divergence.select)
            self._training.divergence = state
            if not divergence.may_continue(state, loss):
                self._training.diverged_loss = loss
                self.model.stop_training = True


class _StopAtEnd(keras.callbacks.Callback):
    """Ends a training at the last planned step."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan, self._epoch = plan, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._plan.step_after(self._epoch, batch) >= self._plan.total_steps:
            self.model.stop_training = True
