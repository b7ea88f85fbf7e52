"""The traced loop over whole epochs: their blocks, partial batches and evaluations in one call.

What callbacks and the step check need of every epoch is returned as arrays, one row for each.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from kerasbatch.engine import keras_fit
from kerasbatch.engine.program.block_state import BlockState
from kerasbatch.engine.program.divergence import DivergenceState
from kerasbatch.engine.program.evaluation_loop import Logs

TakeSteps = Callable[[Any, Any, DivergenceState], BlockState]
"""Takes steps over the rows of indices: how many, and the state of the divergence rule before."""


class EpochRows(NamedTuple):
    """The results of epochs, each of shape (E, ...).

    Args:
        logs: the logs of the training.
        held_out: those of the evaluation; empty without one.
        steps: the steps taken.
        checksum: the sum of the tags of the examples in these steps, int64.
        updates: the optimizer's counter of batches after the epoch.
        examples: the rows that the loss metric has averaged over.
        divergence: the state of the divergence rule after the epoch.
        losses: the losses of the steps, if they are recorded, shape (E, K).
    """

    logs: Logs
    held_out: Logs
    steps: Any
    checksum: Any
    updates: Any
    examples: Any
    divergence: DivergenceState
    losses: Any


class EpochsState(NamedTuple):
    """The end of a call.

    Args:
        epochs: the number of epochs; the last one is incomplete if `continues` is false.
        continues: whether another step may follow.
        divergence: the state of the divergence rule.
        loss: the loss of the last step, if it is needed.
    """

    epochs: Any
    continues: Any
    divergence: DivergenceState
    loss: Any


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
        counts = keras_fit.step_counts(model)
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
