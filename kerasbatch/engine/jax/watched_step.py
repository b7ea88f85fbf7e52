"""A training step of plain `fit` that sums the tags of its examples and reports its loss."""

import contextlib
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np

from kerasbatch.engine.jax.model_arrays import OwnedArrays
from kerasbatch.engine.jax.plain_data import OrderedBatches
from kerasbatch.engine.model_state import capture_step_loss


class WatchedStep:
    """The step of a model, until `remove`; its batches are (tags, arrays).

    Args:
        model: a built, compiled model.
        reports_loss: whether to keep the loss of the last step.
    """

    def __init__(self, model: keras.Model, *, reports_loss: bool) -> None:
        self._model, self._reports_loss = model, reports_loss
        self.checksum, self._loss = 0, jnp.float32(0)
        self._train_step = model.train_step
        model.train_step = self._reporting_step
        model.make_train_function(force=True)
        self._train_function = model.train_function
        model.train_function = self._counting_function

    @property
    def last_loss(self) -> float:
        """The loss of the last step."""
        return float(self._loss)

    def compile(self, data: OrderedBatches) -> None:
        """Compile by taking the first step of data, with copies of the model's values."""
        values = OwnedArrays().read(self._model)
        self._counting_function(tuple(values), iter([data[0]]))

    def begin_epoch(self) -> None:
        """Begin to sum the tags of an epoch."""
        self.checksum = 0

    def remove(self) -> None:
        """Restore the step of the model."""
        vars(self._model).pop("train_step", None)
        self._model.train_function = None

    def _reporting_step(self, state: Any, data: Any) -> Any:
        losses = [jnp.float32(0)]
        captured = capture_step_loss(self._model, losses.append)
        with captured if self._reports_loss else contextlib.nullcontext():
            logs, state = self._train_step(state, data)
        return (logs, losses[-1]), state

    def _counting_function(self, state: Any, iterator: Any) -> Any:
        """Take a step; its examples are counted when it gets them."""
        tags, data = next(iterator)
        (logs, self._loss), state = self._train_function(state, iter([data]))
        total = self.checksum + int(tags.sum(dtype=np.int64))
        self.checksum = (total + 2**63) % 2**64 - 2**63
        return logs, state
