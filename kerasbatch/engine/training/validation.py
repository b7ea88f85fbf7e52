"""The validation of a fused training after an epoch, with the hooks that Keras calls."""

from collections.abc import Callable
from typing import Any, Protocol

import keras

from kerasbatch.engine import keras_fit
from kerasbatch.engine.backend import backend
from kerasbatch.engine.blocks import Logs
from kerasbatch.engine.options import Validation


class Validator(Protocol):
    """Validates a model after an epoch."""

    def __call__(self, callbacks: keras.callbacks.CallbackList) -> Logs:
        """Return the metrics, without a prefix."""


class ArrayValidator:
    """Validates on arrays.

    Args:
        model: a built, compiled model.
        evaluate: evaluates it, from metrics that are reset.
    """

    def __init__(self, model: keras.Model, evaluate: Callable[[], Logs]) -> None:
        self._model, self._evaluate = model, evaluate

    def __call__(self, callbacks: keras.callbacks.CallbackList) -> Logs:
        """Return the metrics, without a prefix."""
        callbacks.on_test_begin()
        callbacks.on_test_batch_begin(0)
        logs = self._evaluate()
        callbacks.on_test_batch_end(0, logs)
        logs = keras_fit.epoch_logs(self._model, "test_step", logs)
        callbacks.on_test_end(logs)
        return logs


class KerasValidator:
    """Validates by Keras' `evaluate`, on data that only Keras can read.

    Args:
        model: a built, compiled model.
        validation: the data.
    """

    def __init__(self, model: keras.Model, validation: Validation) -> None:
        self._model, self._data = model, validation.for_evaluate()
        self._iterator: Any = None

    def __call__(self, callbacks: keras.callbacks.CallbackList) -> Logs:
        """Return the metrics, without a prefix."""
        if self._iterator is None:
            self._iterator = backend().validation_iterator(self._model, self._data)
        return keras_fit.evaluate(self._model, self._data, self._iterator, callbacks)
