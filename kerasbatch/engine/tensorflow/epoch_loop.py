"""The traced loop over whole epochs: their blocks, partial batches and evaluations in one call.

What callbacks and the step check need of every epoch is returned as arrays, one row for each.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.blocks import BlockState, EpochRows, EpochsState, Logs
from kerasbatch.engine.divergence import DivergenceState

TakeSteps = Callable[[Any, Any, DivergenceState], BlockState]
"""Takes steps over the rows of indices: how many, and the state of the divergence rule before."""


def epoch_loop(
    model: keras.Model,
    orders: Any,
    first: Any,
    count: Any,
    start: DivergenceState,
    *,
    size: int,
    take: TakeSteps,
    take_partial: TakeSteps,
    evaluate: Callable[[], Logs] | None,
) -> tuple[EpochsState, EpochRows]:
    """Trace the loop over epochs; all metrics must be Keras' own.

    Args:
        model: a built, compiled model.
        orders: the examples of epochs in their order, shape (rows, n), int32.
        first: the first row to use.
        count: the number of rows to use.
        start: the state of the divergence rule.
        size: the batch size.
        take: resets the metrics, and takes the full batches of an epoch.
        take_partial: takes the partial batch.
        evaluate: resets the metrics, and evaluates the model after every epoch; or None.
    """

    def one_epoch(row: Any, divergence: Any) -> tuple[BlockState, EpochRows]:
        end = _take_epoch(orders[row], size, divergence, take, take_partial)
        counts = _step_counts(model)
        held_out: Logs = evaluate() if evaluate else {}
        rows = EpochRows(
            end.logs, held_out, end.steps, end.checksum, *counts, end.divergence, end.losses
        )
        return end._replace(logs={}, losses=tf.zeros(0)), rows

    # Traced once, for the shapes of its results and for the body of the loop.
    traced = tf.function(one_epoch, autograph=False).get_concrete_function(first, start)
    empty = keras.tree.map_structure(
        lambda spec: tf.TensorArray(spec.dtype, count, element_shape=spec.shape),
        traced.structured_outputs[1],
    )

    def body(state: EpochsState, written: Any) -> tuple[EpochsState, Any]:
        end, rows = traced(first + state.epochs, state.divergence)
        written = keras.tree.map_structure(
            lambda array, value: array.write(state.epochs, value), written, rows
        )
        return EpochsState(state.epochs + 1, end.continues, end.divergence, end.loss), written

    last, written = tf.while_loop(
        lambda state, _: tf.logical_and(state.epochs < count, state.continues),
        body,
        (EpochsState(tf.constant(0), tf.constant(True), start, tf.constant(0.0)), empty),
        parallel_iterations=1,
    )
    return last, keras.tree.map_structure(lambda array: array.stack(), written)


def _take_epoch(
    order: Any, size: int, start: DivergenceState, take: TakeSteps, take_partial: TakeSteps
) -> BlockState:
    """Trace the steps of one epoch; the partial batch follows unless a step ended the training."""
    whole, rest = divmod(order.shape[0], size)
    full = whole * size
    block = take(tf.reshape(order[:full], (whole, size)), tf.constant(whole), start)
    if not rest:
        return block._replace(losses=_of_length(block.losses, whole))
    partial = take_partial(order[None, full:], tf.cast(block.continues, tf.int32), block.divergence)
    logs, loss = keras.tree.map_structure(
        lambda before, after: tf.where(block.continues, after, before),
        (block.logs, block.loss),
        (partial.logs, partial.loss),
    )
    return BlockState(
        steps=block.steps + partial.steps,
        continues=tf.logical_and(block.continues, partial.continues),
        checksum=block.checksum + partial.checksum,
        divergence=partial.divergence,
        loss=loss,
        losses=_of_length(tf.concat([block.losses, partial.losses], 0), whole + 1),
        logs=logs,
    )


def _of_length(losses: Any, steps: int) -> Any:
    """Return recorded losses with their length, which blocks of any size do not know."""
    return losses if losses.shape[0] == 0 else tf.ensure_shape(losses, (steps,))


def _step_counts(model: keras.Model) -> tuple[Any, Any]:
    """Return Keras' own counts as tensors: of batches, and of rows in the mean loss; int64.

    The first is `batches_counted`. A count that the model does not keep is 0.
    """
    batches = 0 if model.optimizer is None else keras_private.batch_counter(model.optimizer)
    tracker = next((metric for metric in model.metrics if metric.name == "loss"), None)
    rows = tf.round(tf.convert_to_tensor(getattr(tracker, "count", 0.0)))
    return tf.cast(tf.convert_to_tensor(batches), tf.int64), tf.cast(rows, tf.int64)
