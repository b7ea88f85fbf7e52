"""The state of the loop over the steps of a block, at its beginning and after each step."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from kerasbatch.engine.options import Needs
from kerasbatch.engine.program import divergence
from kerasbatch.engine.program.evaluation_loop import Logs


class BlockState(NamedTuple):
    """The state of the loop over the steps of a block; at its end, the result of the block.

    Args:
        steps: the steps taken, int32.
        continues: whether another step may follow.
        checksum: the sum of the tags of the examples in these steps, int64.
        divergence: the state of the divergence rule.
        loss: the loss of the last step, if it is needed.
        losses: the losses of all steps, if they are recorded, shape (K,).
        logs: the last return value of the training step.
    """

    steps: Any
    continues: Any
    checksum: Any
    divergence: divergence.DivergenceState
    loss: Any
    losses: Any
    logs: Logs


def first_state(start: divergence.DivergenceState, losses: Any, logs: Logs) -> BlockState:
    """Return the state before the first step.

    Args:
        start: the state of the divergence rule.
        losses: zeros for the losses of the steps.
        logs: tensors of the shapes and types of the logs.
    """
    return BlockState(
        steps=tf.constant(0),
        continues=tf.constant(True),
        checksum=tf.constant(0, tf.int64),
        divergence=start,
        loss=tf.constant(0.0),
        losses=losses,
        logs=keras.tree.map_structure(lambda value: tf.zeros(value.shape, value.dtype), logs),
    )


def state_after(state: BlockState, loss: Any, checksum: Any, needs: Needs) -> BlockState:
    """Return the state after a step, with the logs of the state before it.

    Args:
        state: the state before the step.
        loss: the loss of the step.
        checksum: the sum of the tags of its examples.
        needs: what is recorded, and what ends the loop.
    """
    losses, rule, continues = state.losses, state.divergence, state.continues
    if needs.record_steps:
        losses = tf.tensor_scatter_nd_update(losses, [[state.steps]], [loss])
    if needs.stop_when_diverged:
        rule = divergence.next_state(rule, loss)
    if needs.stop_at_nan or needs.stop_when_diverged:
        continues = divergence.may_continue(rule, loss)
    return state._replace(
        steps=state.steps + 1,
        continues=continues,
        checksum=state.checksum + checksum,
        divergence=rule,
        loss=loss,
        losses=losses,
    )
