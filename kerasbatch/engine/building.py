"""Builds a model, its optimizer, loss and metrics without taking a step."""

import re
import textwrap
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.variables import build_optimizer


class NotBuiltError(Exception):
    """A model could not be built from its data; holds what Keras raised."""

    @property
    def obstacle(self) -> str:
        """What that means for the fused engine."""
        return f"Keras cannot build it ({first_words(self.args[0])})"


def build(model: keras.Model, batch: Any) -> None:
    """Build a model, its optimizer, loss and metrics without taking a step.

    A model without `call`, a generative one with a `train_step` of its own, is built by tracing
    that step: a trace computes nothing.

    Args:
        model: a compiled model.
        batch: what its training step gets, or what that looks like.

    Raises:
        NotBuiltError: if Keras raised an error.
    """
    try:
        keras_private.build(model, batch)
    except Exception as error:
        if keras_private.has_keras_step(model, "train_step"):
            raise NotBuiltError(error) from error
        shapes = keras.tree.map_structure(_any_number, batch)
        try:
            tf.function(model.train_step, autograph=False).get_concrete_function(shapes)
        except Exception as again:
            raise NotBuiltError(again) from again
    build_optimizer(model)


def _any_number(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)


def first_words(error: BaseException) -> str:
    """Return the type of an error and the beginning of what it says, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return f"{type(error).__name__}: {textwrap.shorten(text, 200, placeholder=' ...')}"
