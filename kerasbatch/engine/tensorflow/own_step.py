"""Builds what a custom `train_step` uses, by a trace of it, as Keras does."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private


def build_for_own_step(model: keras.Model, batch: Any) -> None:
    """Build what a custom step uses; its optimizer only if the step applies it.

    A trace computes nothing. It builds the layers and the optimizers that the step uses, and no
    others; a model without `call` stays unbuilt.

    Args:
        model: a compiled model.
        batch: the argument of its training step, or the spec of it.
    """
    if type(model).call is not keras.Model.call:
        with contextlib.suppress(Exception):  # the trace below builds what Keras could not
            keras_private.build_without_optimizer(model, batch)
    shapes = keras.tree.map_structure(_spec_of_any_length, batch)
    with _recorded_use(model.optimizer) as used:
        tf.function(model.train_step, autograph=False).get_concrete_function(shapes)
    if used and not model.optimizer.built:
        model.optimizer.build(used[0] or model.trainable_variables)


@contextlib.contextmanager
def _recorded_use(optimizer: keras.optimizers.Optimizer | None) -> Iterator[list[Any]]:
    """Yield the variables of each call of an optimizer, which does nothing in the context."""
    used: list[Any] = []
    if optimizer is None or optimizer.built:
        yield used
        return

    def apply(grads: Any, trainable_variables: Any = None) -> None:
        used.append(None if trainable_variables is None else list(trainable_variables))

    vars(optimizer)["apply"] = apply
    try:
        yield used
    finally:
        del vars(optimizer)["apply"]


def _spec_of_any_length(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)
