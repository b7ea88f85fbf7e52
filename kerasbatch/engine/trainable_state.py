"""The `trainable` flags of a model as they were when Keras would have traced its training step.

Keras traces a step once after `compile`: a flag that changes later has no effect until the model is
compiled again, or gets batches of another size. A program that is traced later, for instance with
XLA, must train the same weights.
"""

import contextlib
from collections.abc import Iterator

import keras

from kerasbatch.engine.keras_private import all_layers


class TrainableState:
    """The flags of all layers and weights of a model, at the time of the call.

    Args:
        model: a built model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._layers = [layer.trainable for layer in all_layers(model)]
        self._weights = [weight.trainable for weight in model.weights]

    @contextlib.contextmanager
    def restored(self, model: keras.Model) -> Iterator[None]:
        """Let a model have these flags within the context, unless it has other layers by now."""
        present = TrainableState(model)
        if present == self or not self._fits(model):
            yield
            return
        self._assign(model)
        try:
            yield
        finally:
            present._assign(model)

    def __eq__(self, other: object) -> bool:
        """Return whether all flags are equal."""
        return isinstance(other, TrainableState) and vars(self) == vars(other)

    def __hash__(self) -> int:
        """Return a hash of all flags."""
        return hash((*self._layers, *self._weights))

    def _fits(self, model: keras.Model) -> bool:
        counts = len(all_layers(model)), len(model.weights)
        return counts == (len(self._layers), len(self._weights))

    def _assign(self, model: keras.Model) -> None:
        # An outer layer sets the flags of those inside it, and comes first.
        for layer, flag in zip(all_layers(model), self._layers, strict=True):
            layer.trainable = flag
        for weight, flag in zip(model.weights, self._weights, strict=True):
            weight.trainable = flag


class StepTraces:
    """The traces of a training step that Keras would have made since `compile`."""

    def __init__(self) -> None:
        self._flags: dict[int | None, TrainableState] = {}

    def flags(self, model: keras.Model, size: int | None) -> TrainableState:
        """Return the flags of the trace for a batch size, or the present ones for a new trace.

        TensorFlow traces for the first size, and then once more for any other one.

        Args:
            model: a built model.
            size: the batch size, or None if batches have several sizes.
        """
        for known in (size, None):
            if known in self._flags:
                return self._flags[known]
        traced = size if not self._flags else None
        return self._flags.setdefault(traced, TrainableState(model))
