"""The learning rate of every step: a warm-up from 0, and a decay to the end of the budget.

Goyal et al. 2017 (arXiv 1706.02677) use the warm-up with the linear rule: a rate that is right for
a large batch is too large for the first steps. Step i, counted from 0, of s steps with a warm-up of
w has the rate

    rate * i / w                                                    in the warm-up
    rate * (final + (1 - final) * (1 + cos(pi * t)) / 2)            then, with decay: cosine
    rate * (final + (1 - final) * (1 - t))                          then, with decay: linear

where t = (i - w) / (s - w). The first step of a warm-up has the rate 0, as in Keras' own.
"""

import math
from typing import Any

import keras
import numpy as np

from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.section_schema import Decay


# The name under which saved models hold it.
@keras.saving.register_keras_serializable(package="kerasbatch", name="WarmUp")
class RateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule whose numbers are variables, so that runs can share a compiled program.

    Args:
        rate: the top: the learning rate after the warm-up.
        steps: the length of the warm-up in steps; 0 without one.
        total_steps: the steps of the run; only a decay needs them.
        decay: the shape of the decay, or None.
        final: the rate at the end of the decay, as a part of the top.
    """

    def __init__(
        self,
        rate: float,
        steps: int,
        total_steps: int = 0,
        decay: Decay | None = None,
        final: float = 0.0,
    ) -> None:
        super().__init__()
        self._decay = decay
        values = {"rate": rate, "steps": steps, "total_steps": total_steps, "final": final}
        self._values = {
            name: keras.Variable(np.float32(value), trainable=False, name=f"schedule_{name}")
            for name, value in values.items()
        }

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        ops, values = keras.ops, self._values
        step, warmup = ops.cast(step, "float32"), values["steps"]
        rising = ops.minimum(step / ops.maximum(warmup, 1.0), 1.0)
        factor = ops.where(warmup > 0, rising, 1.0)
        if self._decay is not None:
            length = ops.maximum(values["total_steps"] - warmup, 1.0)
            done = ops.clip((step - warmup) / length, 0.0, 1.0)
            factor = factor * self._decayed(done)
        return values["rate"] * factor

    def _decayed(self, done: Any) -> Any:
        """Return the part of the top that is left after a part of the decay."""
        final = self._values["final"]
        left = (
            0.5 * (1.0 + keras.ops.cos(math.pi * done)) if self._decay == "cosine" else 1.0 - done
        )
        return final + (1.0 - final) * left

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that create the same schedule."""
        numbers = {name: float(value) for name, value in self._values.items()}
        steps = {name: int(numbers[name]) for name in ("steps", "total_steps")}
        return {**numbers, **steps, "decay": self._decay}

    def copy_from(self, other: "RateSchedule") -> None:
        """Copy the numbers of another schedule of the same shape."""
        for name, value in self._values.items():
            value.assign(other._values[name].value)


def rate_schedule(rate: LearningRate) -> RateSchedule | None:
    """Return the schedule of a run's learning rate; None for a constant rate, or one of Keras."""
    if rate.value is None or not rate.is_scheduled:
        return None
    return RateSchedule(rate.value, rate.warmup_steps, rate.total_steps, rate.decay, rate.final)
