"""The traced loop of an evaluation."""

from typing import Any

import jax
import jax.numpy as jnp
import keras
from jax import lax

from kerasbatch.engine import keras_private
from kerasbatch.engine.blocks import Logs, MetricsUse
from kerasbatch.engine.jax.model_arrays import ModelArrays, like, metrics_result, reset_metrics
from kerasbatch.engine.jax.step_loop import StepLoop
from kerasbatch.engine.options import Arrays


def evaluation_loop(
    steps: StepLoop, values: ModelArrays, arrays: Arrays, size: int, metrics: MetricsUse
) -> tuple[ModelArrays, Logs]:
    """Trace an evaluation: what it changes of the model, and its logs.

    Args:
        steps: packs batches for the model.
        values: the model.
        arrays: the data on the device.
        size: the rows of a batch.
        metrics: the use of the model's metrics; all but `add` need metrics of Keras' own.
    """
    model = steps.live_model()
    before = values.metrics
    if metrics != "add":
        values = reset_metrics(model, values)
    is_keras_step = keras_private.has_keras_step(model, "test_step")

    def step(values: ModelArrays, start: Any, length: int) -> tuple[ModelArrays, Logs]:
        batch = keras.tree.map_structure(
            lambda array: lax.dynamic_slice_in_dim(array, start, length), arrays
        )
        logs, after = model.test_step(values.without_optimizer(), steps.pack(batch))
        trainable, non_trainable, reported = after
        after = ModelArrays(trainable, non_trainable, values.optimizer, reported)
        return like(values, after), {} if is_keras_step else jax.tree.map(jnp.asarray, logs)

    full_batches, rest = divmod(len(keras.tree.flatten(arrays)[0]), size)
    logs: Logs = {}
    if full_batches:
        values, logs = _full_batches(step, values, full_batches, size)
    if rest:
        values, logs = step(values, full_batches * size, rest)
    if is_keras_step:
        logs = metrics_result(model, values)
    changed = values._replace(trainable=[], optimizer=[])  # the rest would be copied
    return changed._replace(metrics=before) if metrics == "keep" else changed, logs


def _full_batches(
    step: Any, values: ModelArrays, count: int, size: int
) -> tuple[ModelArrays, Logs]:
    """Trace the loop over full batches; the first one gives the form of the logs."""
    values, logs = step(values, 0, size)

    def body(number: Any, state: tuple[ModelArrays, Logs]) -> tuple[ModelArrays, Logs]:
        after, new = step(state[0], number * size, size)
        return after, jax.tree.map(lambda old, now: jnp.asarray(now, old.dtype), state[1], new)

    values, logs = lax.fori_loop(1, count, body, (values, logs))
    return values, logs
