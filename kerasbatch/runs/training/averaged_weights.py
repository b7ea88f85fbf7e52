"""Averaged weights, for optimizers with `use_ema`: the model that such a training makes.

Keras trains one set of weights and keeps their moving average; at the end of `fit` the average
replaces them. An evaluation in between has to measure the average too: otherwise the history and
the target speak of weights that no saved model has.
"""

import contextlib
from collections.abc import Iterator

import keras

from kerasbatch.engine.keras_private import batches_counted
from kerasbatch.engine.model_state import preserve


class AveragedWeights:
    """Puts the averages of an optimizer in the place of the weights, for a while.

    Args:
        model: the model in training.
        callbacks: the user's callbacks; SwapEMAWeights does the same at the ends of epochs.
    """

    def __init__(self, model: keras.Model, callbacks: list[keras.callbacks.Callback]) -> None:
        self._model, self._is_training = model, True
        self._swaps = any(isinstance(each, keras.callbacks.SwapEMAWeights) for each in callbacks)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have its averaged weights within the context."""
        if not self._has_averages():
            yield
            return
        with preserve(self._model.trainable_variables):
            self._assign()
            yield

    @contextlib.contextmanager
    def for_callbacks(self) -> Iterator[None]:
        """Let the model have its averaged weights, unless a callback of the user swaps them."""
        with contextlib.nullcontext() if self._swaps else self.in_place():
            yield

    def end(self) -> None:
        """Stop swapping: `fit` has replaced the weights by their averages."""
        self._is_training = False

    def finalize(self) -> None:
        """Replace the weights by their averages after a `fit` that was cut off."""
        if self._has_averages():
            self._assign()
        self.end()

    def _has_averages(self) -> bool:
        optimizer = self._model.optimizer
        uses_averages = self._is_training and getattr(optimizer, "use_ema", False)
        return bool(uses_averages and optimizer.built and batches_counted(optimizer))

    def _assign(self) -> None:
        self._model.optimizer.finalize_variable_values(self._model.trainable_variables)
