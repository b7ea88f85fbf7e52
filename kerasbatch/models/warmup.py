"""A learning rate that grows in a straight line from 0, step by step, and then stays.

Goyal et al. 2017 (arXiv 1706.02677) use it with the linear rule: a rate that is right for a large
batch is too large for the first steps. The step that follows i others has the rate
rate * min(1, i / steps), as Keras' own warm-ups count; the first step has the rate 0.
"""

from typing import Any

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="kerasbatch")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule whose rate and length are variables, so that a compiled program can serve others.

    Args:
        rate: the learning rate after the warm-up.
        steps: its length.
    """

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self._rate = keras.Variable(np.float32(rate), trainable=False, name="warm_up_rate")
        self._steps = keras.Variable(np.float32(steps), trainable=False, name="warm_up_steps")

    def __call__(self, step: Any) -> Any:
        """Return the rate of the step that follows `step` others."""
        done = keras.ops.cast(step, "float32") / self._steps
        return self._rate * keras.ops.minimum(done, 1.0)

    def get_config(self) -> dict[str, float]:
        """Return what makes the same schedule again."""
        return {"rate": float(self._rate), "steps": int(float(self._steps))}

    def become(self, other: "WarmUp") -> None:
        """Take over the rate and the length of another one."""
        self._rate.assign(other._rate.value)
        self._steps.assign(other._steps.value)
