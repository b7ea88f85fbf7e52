"""The divergence rule: one rule, checked after every step, in every engine.

A training has diverged if the loss of a step is not finite, or if the losses of PATIENCE steps in a
row exceed FACTOR times the loss of the first step. The fused engine traces the rule into its
program, so a run always ends at the same step, independent of the speed of the machine. Plain `fit`
evaluates the rule with Python numbers, which is cheaper per step than TensorFlow operations.
"""

import math
from collections.abc import Callable
from typing import Any

FACTOR = 1000.0
PATIENCE = 20
DivergenceState = tuple[Any, Any]
"""Two scalars: the loss of the first step (NaN before it) and the streak of high losses."""
INITIAL: DivergenceState = (math.nan, 0.0)
"""The state before the first step."""


def next_state(
    state: DivergenceState, loss: Any, where: Callable[[Any, Any, Any], Any]
) -> DivergenceState:
    """Return the state after a step.

    Args:
        state: the state before the step.
        loss: the loss of the step, a scalar: a tensor or a Python number.
        where: selects one of two values by a condition: the backend's, or `select` for Python
            numbers.
    """
    first, streak = state
    first = where(first != first, loss, first)
    is_high = (loss > FACTOR * abs(first)) & (first != 0.0)
    return first, where(is_high, streak + 1.0, 0.0)


def select(condition: bool, value: float, other: float) -> float:
    """Return one of two Python numbers: `value` if the condition holds."""
    return value if condition else other


def may_continue(state: DivergenceState, loss: Any) -> Any:
    """Return whether a training may take another step after one with this loss and state."""
    return (abs(loss) < math.inf) & (state[1] < PATIENCE)
