"""The keras engine: plain `model.fit` on the same batches, pass by pass."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import keras_fit
from kerasbatch.engine.model_state import (
    all_variables,
    build_optimizer,
    capture_step_loss,
    preserve,
)
from kerasbatch.engine.options import NO_NEEDS, Arrays, FitOptions, Needs
from kerasbatch.engine.program import divergence
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
        self._counts = False
        self._epoch = 1
        self._checksum = tf.Variable(0, dtype=tf.int64)
        self._last_loss = tf.Variable(0.0)

    def compile(self, evaluated: Arrays) -> None:
        """Compile a step and an evaluation by running and undoing them; record the seconds.

        From then on the training step adds its examples to a checksum.
        """
        start = time.perf_counter()
        build_optimizer(self.model)
        try:
            with self._captured_loss(), preserve(all_variables(self.model)):
                self._count_examples()
                self.model.train_function(iter(self.stream.dataset(lambda: 1).take(1)))
                self.evaluator(keras.tree.map_structure(lambda part: part[:1], evaluated))()
        except BaseException:
            self._restore_step()
            raise
        self.compile_seconds = time.perf_counter() - start

    def _captured_loss(self) -> contextlib.AbstractContextManager[None]:
        needs = self._needs
        if not (needs.record_steps or needs.stop_when_diverged):
            return contextlib.nullcontext()
        return capture_step_loss(self.model, self._last_loss.assign)

    def _restore_step(self) -> None:
        """Restore the training step of the model."""
        vars(self.model).pop("train_step", None)
        self.model.train_function = None

    def _count_examples(self) -> None:
        train_step, self._counts = self.model.train_step, True

        def counting_step(batch: tuple[Any, Arrays]) -> Any:
            tags, data = batch
            self._checksum.assign_add(tf.reduce_sum(tags))
            return train_step(data)

        self.model.train_step = counting_step
        self.model.make_train_function(force=True)

    def for_plan(self, plan: Plan) -> "PlainTraining":
        """Return a training of the same model with another plan."""
        stream = replace(self.stream, plan=plan)
        return PlainTraining(self.model, stream, why=self.why, obstacle=self.obstacle)

    def examples_match(self, epoch: int, steps: int) -> bool | None:
        """Return whether the steps of the last epoch saw the planned examples; None if unknown."""
        if not self.stream.identifies_examples:
            return None
        return int(self._checksum.numpy()) == self.stream.checksum(epoch, steps)

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
        dataset = stream.dataset(lambda: max(self._epoch, 1 + keras_fit.initial_epoch(model)))
        if not self._counts:
            dataset = dataset.map(lambda tags, arrays: keras.utils.pack_x_y_sample_weight(*arrays))
        try:
            return model.fit(
                dataset,
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
            if self._counts:
                self._restore_step()

    def _leading_callbacks(self) -> Iterator[keras.callbacks.Callback]:
        """Yield the callbacks that run before those of the caller."""

        def begin(epoch: int, logs: Any) -> None:
            self._epoch = epoch + 1
            self._checksum.assign(0)

        yield keras.callbacks.LambdaCallback(on_epoch_begin=begin)
        if self._counts and (self._needs.record_steps or self._needs.stop_when_diverged):
            yield _StepLosses(self, self._last_loss, self._needs)

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

    def __init__(self, training: PlainTraining, last: tf.Variable, needs: Needs) -> None:
        super().__init__()
        self._training, self._last, self._needs = training, last, needs

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = float(self._last.numpy())
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
