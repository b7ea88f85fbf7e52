"""When a training has diverged: one rule, looked at after every step, in every engine.

A step's loss is not finite, or the losses of PATIENCE steps in a row exceed FACTOR times the
first step's. The fused engine traces the rule into its program, so that a run always ends at the
same step, however fast the machine is; plain `fit` asks it with Python's numbers, which costs a
step less than TensorFlow's operations would.
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

FACTOR = 1000.0
PATIENCE = 20
DivergenceState = tuple[Any, Any]
"""The first step's loss (not a number before it), and the steps in a row above; scalars."""
INITIAL: DivergenceState = (math.nan, 0.0)
"""The state before the first step."""


def initial_state() -> DivergenceState:
    """Return the state before the first step, as tensors."""
    first, row = INITIAL
    return tf.constant(first), tf.constant(row)


def next_state(
    state: DivergenceState, loss: Any, where: Callable[[Any, Any, Any], Any] = tf.where
) -> DivergenceState:
    """Return the state after a step.

    Args:
        state: the state before it.
        loss: its loss, a scalar: a tensor, or a number of Python's.
        where: chooses between two values; for numbers of Python's, `chosen`.
    """
    first, row = state
    first = where(first != first, loss, first)
    far = (loss > FACTOR * abs(first)) & (first != 0.0)
    return first, where(far, row + 1.0, 0.0)


def select(condition: bool, value: float, other: float) -> float:
    """Choose between two numbers of Python's."""
    return value if condition else other


def may_continue(state: DivergenceState, loss: Any) -> Any:
    """Tell whether a training may take another step after one with this loss and state."""
    return (abs(loss) < math.inf) & (state[1] < PATIENCE)
