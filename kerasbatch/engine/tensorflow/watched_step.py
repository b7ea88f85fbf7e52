"""A training step of plain `fit` that sums the tags of its examples and reports its loss."""

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.model_state import capture_step_loss


class WatchedStep:
    """The step of a model, until `remove`; its batches are (tags, arrays).

    Args:
        model: a built, compiled model.
        reports_loss: whether to keep the loss of the last step.
    """

    def __init__(self, model: keras.Model, *, reports_loss: bool) -> None:
        self._model, self._reports_loss = model, reports_loss
        self._checksum = tf.Variable(0, dtype=tf.int64)
        self._last_loss = tf.Variable(0.0)
        train_step = model.train_step

        def counting_step(batch: tuple[Any, Any]) -> Any:
            tags, data = batch
            self._checksum.assign_add(tf.reduce_sum(tags))
            return train_step(data)

        model.train_step = counting_step
        model.make_train_function(force=True)

    @property
    def checksum(self) -> int:
        """The sum of the tags of the examples in this epoch."""
        return int(self._checksum.numpy())

    @property
    def last_loss(self) -> float:
        """The loss of the last step."""
        return float(np.asarray(self._last_loss))

    def compile(self, data: tf.data.Dataset) -> None:
        """Compile by taking the first step of data, which the caller undoes."""
        captured = (
            capture_step_loss(self._model, self._last_loss.assign)
            if self._reports_loss
            else contextlib.nullcontext()
        )
        with captured:
            self._model.train_function(iter(data.take(1)))

    def begin_epoch(self) -> None:
        """Begin to sum the tags of an epoch."""
        self._checksum.assign(0)

    def remove(self) -> None:
        """Restore the step of the model."""
        vars(self._model).pop("train_step", None)
        self._model.train_function = None
