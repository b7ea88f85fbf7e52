"""The options of a training beside its data, common to all engines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

Arrays = tuple[Any, ...]
"""(x,), (x, y) or (x, y, sample_weight); each an array, or a list or dict of arrays."""


@dataclass(frozen=True)
class Needs:
    """The required abilities of a training, which are compiled into its program.

    Args:
        record_steps: keep the loss of every step.
        stop_at_nan: stop after the first step whose loss is not finite.
        stop_when_diverged: stop by the rule of `divergence`.
        jit_compile: whether to compile with XLA; None chooses.
    """

    record_steps: bool = False
    stop_at_nan: bool = False
    stop_when_diverged: bool = False
    jit_compile: bool | None = None


NO_NEEDS = Needs()


@dataclass(frozen=True)
class Validation:
    """The validation of a `fit`.

    Args:
        data: arrays, or data that only Keras can read.
        is_arrays: whether the data are arrays.
        batch_size: the examples of one step.
        steps: the number of steps, or None for all; arrays are already cut to this length.
        freq: Keras' `validation_freq`.
    """

    data: Any
    is_arrays: bool
    batch_size: int | None = None
    steps: int | None = None
    freq: Any = 1

    def as_keras(self) -> dict[str, Any]:
        """Return the arguments of Keras' `fit`."""
        return {
            "validation_data": self.data,
            "validation_batch_size": self.batch_size,
            "validation_steps": None if self.is_arrays else self.steps,
            "validation_freq": self.freq,
        }

    def for_evaluate(self) -> dict[str, Any]:
        """Return the arguments of Keras' `evaluate` for the data."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(self.data)
        return {
            "x": x,
            "y": y,
            "sample_weight": sample_weight,
            "batch_size": self.batch_size,
            "steps": None if self.is_arrays else self.steps,
        }


@dataclass(frozen=True)
class FitOptions:
    """The options of a call of `fit`.

    Args:
        callbacks: Keras callbacks.
        verbose: as in Keras.
        initial_epoch: as in Keras.
        initial_steps: the steps of that epoch that are taken already.
        validation: the validation after epochs, or None.
    """

    callbacks: Sequence[keras.callbacks.Callback] = field(default=())
    verbose: str | int = 0
    initial_epoch: int = 0
    initial_steps: int = 0
    validation: Validation | None = None


NO_OPTIONS = FitOptions()
