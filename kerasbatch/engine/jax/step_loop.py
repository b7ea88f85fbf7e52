"""The traced loop over the steps of a block.

It gathers each batch from data on the device and calls Keras' own `train_step`. None of Keras'
arithmetic is reimplemented. The number of steps is a run-time value in a `while` loop, so that one
compiled program takes any number of steps.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
from jax import lax

from kerasbatch.engine import divergence, keras_private
from kerasbatch.engine.backend import ProgramSettings
from kerasbatch.engine.blocks import Logs
from kerasbatch.engine.jax import checksums
from kerasbatch.engine.jax.model_arrays import ModelArrays, like, metrics_result, reset_metrics
from kerasbatch.engine.keras_fit import has_keras_metrics
from kerasbatch.engine.model_state import capture_step_loss
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.weak_reference import live_model


class Ledger(NamedTuple):
    """The account of a block: what is counted, checked and recorded beside the model.

    Args:
        steps: the steps taken, int32.
        continues: whether another step may follow.
        checksum: the sum of the tags of the examples in these steps.
        divergence: the state of the divergence rule.
        loss: the loss of the last step, if it is needed.
        losses: the losses of all steps, if they are recorded, shape (K,).
        logs: what the last step returned; after a block, what Keras' metrics return.
    """

    steps: Any
    continues: Any
    checksum: checksums.Pair
    divergence: divergence.DivergenceState
    loss: Any
    losses: Any
    logs: Logs


@dataclass
class StepLoop:
    """Traces steps of a compiled model, for any data and any batch size.

    Args:
        model: returns the model, or None if it is gone.
        settings: what the steps do.
    """

    model: Callable[[], keras.Model | None]
    settings: ProgramSettings

    def live_model(self) -> keras.Model:
        """Return the model.

        Raises:
            ReferenceError: if it is gone.
        """
        return live_model(self.model)

    def block(
        self,
        values: ModelArrays,
        arrays: Arrays,
        tags: Any,
        indices: Any,
        steps: Any,
        start: Any,
        resets: Any,
    ) -> tuple[ModelArrays, Ledger]:
        """Trace the loop over the steps of a block.

        Args:
            values: the model.
            arrays: the data on the device.
            tags: the halves of the tags of their examples, shape (n, 2).
            indices: the examples of each step, shape (K, batch size).
            steps: the number of steps.
            start: the state of the divergence rule.
            resets: whether to reset the metrics before the first step, if all are Keras' own.
        """
        values, ledger = self.begin(values, arrays, indices, start, resets)
        values, ledger = lax.while_loop(
            lambda state: (state[1].steps < steps) & state[1].continues,
            lambda state: self.step(*state, arrays, tags, indices),
            (values, ledger),
        )
        return values, self.end(values, ledger)

    def begin(
        self, values: ModelArrays, arrays: Arrays, indices: Any, start: Any, resets: Any
    ) -> tuple[ModelArrays, Ledger]:
        """Trace the state before the first step of a block; arguments as in `block`."""
        model = self.live_model()
        if has_keras_metrics(model):
            zeros = reset_metrics(model, values).metrics
            metrics = [
                jnp.where(resets, zero, value)
                for zero, value in zip(zeros, values.metrics, strict=True)
            ]
            values = values._replace(metrics=metrics)
        first, streak = start
        ledger = Ledger(
            steps=jnp.int32(0),
            continues=jnp.bool_(True),
            checksum=checksums.ZERO,
            divergence=(jnp.float32(first), jnp.float32(streak)),
            loss=jnp.float32(0),
            losses=jnp.zeros(len(indices) if self.settings.needs.record_steps else 0),
            logs=self._empty_logs(values, arrays, indices),
        )
        return values, ledger

    def step(
        self, values: ModelArrays, ledger: Ledger, arrays: Arrays, tags: Any, indices: Any
    ) -> tuple[ModelArrays, Ledger]:
        """Trace a step; arguments as in `block`."""
        chosen = indices[ledger.steps]
        logs, after, loss = self._train_step(values, self._batch(arrays, chosen))
        after_step = self._counted(ledger, loss, checksums.total(rows_of(tags, chosen)))
        return like(values, after), after_step._replace(logs=self._logs_of_step(logs))

    def end(self, values: ModelArrays, ledger: Ledger) -> Ledger:
        """Trace the logs at the end of a block: Keras' metrics are read once, after the loop."""
        if self._is_keras_step():
            return ledger._replace(logs=metrics_result(self.live_model(), values))
        return ledger

    def pack(self, arrays: Arrays) -> Any:
        """Return a batch in the form that Keras passes to a step."""
        scale = self.settings.scale
        x, *rest = arrays
        if scale is not None:
            x = keras.tree.map_structure(lambda array: scaled_bytes(array, scale), x)
        if self.settings.as_tuples:
            return (x, *rest)
        return keras.utils.pack_x_y_sample_weight(x, *rest)

    def _batch(self, arrays: Arrays, chosen: Any) -> Any:
        return self.pack(keras.tree.map_structure(lambda array: rows_of(array, chosen), arrays))

    def _is_keras_step(self) -> bool:
        return keras_private.has_keras_step(self.live_model(), "train_step")

    def _train_step(self, values: ModelArrays, batch: Any) -> tuple[Logs, Any, Any]:
        """Trace Keras' training step: its logs, the model after it, and its loss if needed."""
        model, needs, losses = self.live_model(), self.settings.needs, [jnp.float32(0)]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.settings.trainable.restored(model))
            if needs.record_steps or needs.stop_at_nan or needs.stop_when_diverged:
                stack.enter_context(capture_step_loss(model, losses.append))
            logs, after = model.train_step(tuple(values), batch)
        return logs, after, losses[-1]

    def _logs_of_step(self, logs: Any) -> Logs:
        arrays: Logs = {} if self._is_keras_step() else _strong(logs)
        return arrays

    def _empty_logs(self, values: ModelArrays, arrays: Arrays, indices: Any) -> Logs:
        """Return zeros of the shapes and types of the logs of a custom step."""
        if self._is_keras_step():
            return {}
        batch = jax.eval_shape(self._batch, arrays, indices[0])
        shapes = jax.eval_shape(lambda *state: _strong(self._train_step(*state)[0]), values, batch)
        empty: Logs = jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), shapes)
        return empty

    def _counted(self, ledger: Ledger, loss: Any, tags: checksums.Pair) -> Ledger:
        """Return the account after a step."""
        needs, rule, continues = self.settings.needs, ledger.divergence, ledger.continues
        losses = ledger.losses
        if needs.record_steps:
            losses = losses.at[ledger.steps].set(loss)
        if needs.stop_when_diverged:
            rule = divergence.next_state(rule, loss, jnp.where)
        if needs.stop_at_nan or needs.stop_when_diverged:
            continues = divergence.may_continue(rule, loss)
        return ledger._replace(
            steps=ledger.steps + 1,
            continues=continues,
            checksum=checksums.add(ledger.checksum, tags),
            divergence=rule,
            loss=jnp.asarray(loss, jnp.float32),
            losses=losses,
        )


def rows_of(array: Any, chosen: Any) -> Any:
    """Return rows of an array; the indices are always valid, so that none must be checked."""
    return jnp.take(array, chosen, axis=0, mode="clip")


def _strong(logs: Any) -> Any:
    """Return logs as arrays with types of their own, as a loop needs them."""
    return jax.tree.map(lambda value: jnp.asarray(value, jnp.asarray(value).dtype), logs)


def scaled_bytes(array: Any, scale: float) -> Any:
    """Return bytes times a factor as float32; any other array unchanged."""
    return array.astype(jnp.float32) * jnp.float32(scale) if array.dtype == jnp.uint8 else array
