"""A learning rate that grows linearly from 0, step by step, and then stays constant.

Goyal et al. 2017 (arXiv 1706.02677) use it with the linear rule: a rate that is right for a large
batch is too large for the first steps. Step i, counted from 0, has the rate
rate * min(1, i / steps), as in Keras' own warm-ups; the first step has the rate 0.
"""

from typing import Any

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="kerasbatch")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule whose rate and length are variables, so that runs can share a compiled program.

    Args:
        rate: the learning rate after the warm-up.
        steps: the length of the warm-up in steps.
    """

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self._rate = keras.Variable(np.float32(rate), trainable=False, name="warm_up_rate")
        self._steps = keras.Variable(np.float32(steps), trainable=False, name="warm_up_steps")

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        done = keras.ops.cast(step, "float32") / self._steps
        return self._rate * keras.ops.minimum(done, 1.0)

    def get_config(self) -> dict[str, float]:
        """Return the arguments that create the same schedule."""
        return {"rate": float(self._rate), "steps": int(float(self._steps))}

    def copy_from(self, other: "WarmUp") -> None:
        """Copy the rate and the length of another schedule."""
        self._rate.assign(other._rate.value)
        self._steps.assign(other._steps.value)
