"""The keras engine: plain `model.fit`, fed with a finished stream of batches."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.feed import Arrays, Feed, packed, scaled
from kerasbatch.engine.variables import all_variables, build_optimizer, tapped, unchanged
from kerasbatch.steps import Plan

EVALUATION_BATCH = 1024
"""Rows per step of an evaluation; fixed, so that its sums do not depend on the training."""


class KerasTraining:
    """One training by plain `model.fit`.

    Args:
        model: a compiled model.
        feed: its examples and their order.
        why: why this engine.
        record_steps: whether to keep the loss of every step.
    """

    name = "keras"

    def __init__(
        self, model: keras.Model, feed: Feed, *, why: str, record_steps: bool = False
    ) -> None:
        self.model = model
        self.feed = feed
        self.why = why
        self.jit_compile = bool(model.jit_compile)
        self.step_losses: list[float] = []
        self._record_steps = record_steps
        self._ledger = tf.Variable(0, dtype=tf.int64)

    def prepare(self, evaluated: Arrays) -> float:
        """Compile a step and an evaluation by doing one and undoing it; return the seconds."""
        start = time.perf_counter()
        build_optimizer(self.model)
        try:
            with self._tap(), unchanged(all_variables(self.model)):
                self._count_examples()
                self.model.train_function(iter(self.feed.dataset().take(1)))
                self.evaluator(keras.tree.map_structure(lambda part: part[:1], evaluated))()
        except BaseException:
            self._give_back()
            raise
        return time.perf_counter() - start

    def _give_back(self) -> None:
        """Leave the model with its own training step."""
        vars(self.model).pop("train_step", None)
        self.model.train_function = None

    def _count_examples(self) -> None:
        """Give the model a training step that also keeps a ledger of the examples that it meets."""
        train_step = self.model.train_step

        def counting_step(batch: tuple[Any, Arrays]) -> Any:
            tags, data = batch
            self._ledger.assign_add(tf.reduce_sum(tags))
            return train_step(data)

        self.model.train_step = counting_step
        self.model.make_train_function(force=True)

    def saw_the_right_examples(self, epoch: int, steps: int) -> bool:
        """Tell whether the steps of the epoch just trained met the examples that they should."""
        return int(self._ledger.numpy()) == self.feed.tag_sum(epoch, steps)

    def fit(self, callbacks: Sequence[keras.callbacks.Callback]) -> keras.callbacks.History:
        """Train to the end of the plan, or until a callback stops it; `prepare` comes first."""
        plan = self.feed.plan
        reset = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self._ledger.assign(0)
        )
        first: list[keras.callbacks.Callback] = [reset]
        if self._record_steps:
            first.append(_StepLosses(self._last_loss, self.step_losses))
        try:
            return self.model.fit(
                self.feed.dataset(),
                epochs=plan.epochs,
                steps_per_epoch=plan.steps_per_epoch,
                shuffle=False,
                verbose=0,
                callbacks=[*first, *callbacks, StopAtEnd(plan)],
            )
        finally:
            self._give_back()

    def _tap(self) -> contextlib.AbstractContextManager[None]:
        if not self._record_steps:
            return contextlib.nullcontext()
        self._last_loss = tf.Variable(0.0)
        return tapped(self.model, self._last_loss.assign)

    def evaluator(self, arrays: Arrays) -> Callable[[], dict[str, float]]:
        """Return a function that measures the model and leaves its metrics as they were."""
        x, y = arrays
        scale = self.feed.scale

        def evaluate() -> dict[str, float]:
            nonlocal x, scale
            x, scale = scaled(x, scale), None
            with unchanged(self.model.metrics_variables):
                measured = self.model.evaluate(
                    x, y, batch_size=EVALUATION_BATCH, verbose=0, return_dict=True
                )
            return {name: float(value) for name, value in measured.items()}

        return evaluate


def fit_stream(model: keras.Model, feed: Feed, **options: Any) -> keras.callbacks.History:
    """Train by plain `model.fit` on the batches of a feed; options are those of Keras."""

    def first_epoch() -> int:  # BackupAndRestore sets it when the training begins
        return int(model._initial_epoch or options.get("initial_epoch", 0)) + 1

    return model.fit(
        feed.dataset(first_epoch).map(lambda tags, arrays: packed(arrays)),
        epochs=feed.plan.epochs,
        steps_per_epoch=feed.plan.steps_per_epoch,
        shuffle=False,
        **options,
    )


class _StepLosses(keras.callbacks.Callback):
    """Keeps the loss of every step."""

    def __init__(self, last: tf.Variable, losses: list[float]) -> None:
        super().__init__()
        self._last, self._losses = last, losses

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._losses.append(float(self._last.numpy()))


class StopAtEnd(keras.callbacks.Callback):
    """Ends a training whose budget runs out inside an epoch."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop at the last planned step."""
        if self._epoch * self._plan.steps_per_epoch + batch + 1 >= self._plan.total_steps:
            self.model.stop_training = True
