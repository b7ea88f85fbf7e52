"""The loop of a compiled evaluation, and the logs of steps as tensors."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.blocks import Logs, MetricsUse
from kerasbatch.engine.options import Arrays


def evaluation_loop(
    model: keras.Model,
    pack: Callable[[Arrays], Any],
    arrays: Arrays,
    size: int,
    metrics: MetricsUse,
) -> Logs:
    """Trace an evaluation.

    Args:
        model: a built, compiled model.
        pack: returns a batch in the form that Keras passes to a step.
        arrays: the data on the device.
        size: the rows of a batch.
        metrics: the use of the model's metrics; all but `add` need metrics of Keras' own.
    """
    variables = model.metrics_variables if metrics == "keep" else []
    before = [tf.convert_to_tensor(variable) for variable in variables]
    if metrics != "add":
        model.reset_metrics()
    logs = _loop(model, pack, arrays, size)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return logs


def _loop(model: keras.Model, pack: Callable[[Arrays], Any], arrays: Arrays, size: int) -> Logs:
    """Trace the loop over the full batches of an evaluation, then the remainder.

    Args:
        model: a built, compiled model.
        pack: returns a batch in the form that Keras passes to a step.
        arrays: the data on the device.
        size: the rows of a batch.
    """
    rows = int(keras.tree.flatten(arrays)[0].shape[0])
    full_batches, rest = divmod(rows, size)

    is_keras_step = keras_private.has_keras_step(model, "test_step")

    def step(start: Any, length: int) -> Logs:
        batch = keras.tree.map_structure(lambda a: _rows(a, start, length), arrays)
        logs = model.test_step(pack(batch))
        return {} if is_keras_step else as_tensors(logs)

    def body(i: Any, _: Logs) -> tuple[Any, Logs]:
        return i + 1, step(i * size, size)

    # The first call of a custom step provides the structure of its logs.
    logs = {} if is_keras_step else step(tf.constant(0), size if full_batches else rest)
    first = tf.constant(0 if is_keras_step else 1)
    if full_batches:
        _, logs = tf.while_loop(
            lambda i, _: i < full_batches, body, (first, logs), parallel_iterations=1
        )
    if rest and (is_keras_step or full_batches):
        logs = step(tf.constant(full_batches * size), rest)
    return as_tensors(model.get_metrics_result()) if is_keras_step else logs


def _rows(array: Any, start: Any, length: int) -> Any:
    begin = tf.concat([[start], tf.zeros(len(array.shape) - 1, tf.int32)], 0)
    return tf.slice(array, begin, [length, *array.shape[1:]])


def as_tensors(logs: Any) -> Logs:
    """Return logs, nested or not, as tensors."""
    tensors: Logs = keras.tree.map_structure(tf.convert_to_tensor, logs)
    return tensors
