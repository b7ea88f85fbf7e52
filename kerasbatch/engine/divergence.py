"""When a training has diverged: one rule, looked at after every step, in every engine.

A step's loss is not finite, or the losses of PATIENCE steps in a row exceed FACTOR times the
first step's. The rule runs inside the compiled program, so that a run always ends at the same
step, however fast the machine is.
"""

import math
from typing import Any

import tensorflow as tf

FACTOR = 1000.0
PATIENCE = 20


def unwatched() -> tf.Tensor:
    """Return the state before the first step: no first loss, no step in a row."""
    return tf.constant([math.nan, 0.0])


def watched(state: Any, loss: Any) -> Any:
    """Return the state after a step, shape (2,): the first loss, and the steps in a row above."""
    first = tf.where(tf.math.is_nan(state[0]), loss, state[0])
    far = tf.logical_and(loss > FACTOR * tf.abs(first), tf.not_equal(first, 0.0))
    return tf.stack([first, tf.where(far, state[1] + 1.0, 0.0)])


def goes_on(state: Any, loss: Any) -> Any:
    """Tell whether a training may take another step after one with this loss and state."""
    return tf.logical_and(tf.math.is_finite(loss), state[1] < PATIENCE)
