"""Keras' random operations in float32, with the numbers of plain TensorFlow.

Each raises CannotLowerError before it draws a seed, where it cannot be lowered.
"""

from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering import random_numbers
from kerasbatch.engine.tensorflow.lowering.errors import CannotLowerError
from kerasbatch.engine.tensorflow.lowering.keras_operations import draw_seed


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Return inputs of which a share is 0, and the others are scaled."""
    inputs = tf.convert_to_tensor(inputs)
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        raise CannotLowerError("the rate is no number between 0 and 1")
    check_type(inputs.dtype)
    shape = _noise_shape(inputs, noise_shape)
    is_kept = random_numbers.uniform(draw_seed(seed), shape) >= rate
    scale = tf.constant(1 / (1 - rate), inputs.dtype)
    return tf.where(is_kept, inputs * scale, tf.zeros((), inputs.dtype))


def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Return uniform random numbers."""
    check_type(dtype)
    low, high = tf.cast(minval, tf.float32), tf.cast(maxval, tf.float32)
    return random_numbers.uniform(draw_seed(seed), shape) * (high - low) + low


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Return normal random numbers."""
    check_type(dtype)
    width, middle = tf.cast(stddev, tf.float32), tf.cast(mean, tf.float32)
    return random_numbers.normal(draw_seed(seed), shape) * width + middle


def _noise_shape(inputs: Any, noise_shape: Any) -> Any:
    """Return the shape of the mask of a dropout, as a tensor; a length may be of run time."""
    lengths = tf.shape(inputs)
    if noise_shape is None:
        return lengths
    return tf.stack([lengths[n] if each is None else each for n, each in enumerate(noise_shape)])


def check_type(dtype: Any) -> None:
    """Raise CannotLowerError for another type of numbers than float32."""
    if tf.as_dtype(dtype or keras.config.floatx()) != tf.float32:
        raise CannotLowerError("the random numbers are not of type float32")
