"""The state of the loop over the steps of a block, at its beginning and after each step."""

from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import divergence
from kerasbatch.engine.blocks import BlockState, Logs
from kerasbatch.engine.options import Needs


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
        rule = divergence.next_state(rule, loss, tf.where)
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
