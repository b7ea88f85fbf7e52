"""Keras' random operations in float32 and static shapes, with the numbers of plain TensorFlow.

Each raises ValueError before it draws a seed, where it cannot be lowered.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.lowering import random_numbers
from kerasbatch.engine.lowering.keras_operations import draw_seed


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Return inputs of which a share is 0, and the others are scaled."""
    inputs = tf.convert_to_tensor(inputs)
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        raise ValueError("the rate is no number between 0 and 1")
    shape = _static(_noise_shape(inputs, noise_shape), inputs.dtype)
    is_kept = random_numbers.uniform(draw_seed(seed), shape) >= rate
    scale = tf.constant(1 / (1 - rate), inputs.dtype)
    return tf.where(is_kept, inputs * scale, tf.zeros((), inputs.dtype))


def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Return uniform random numbers."""
    static = _static(shape, dtype)
    low, high = tf.cast(minval, tf.float32), tf.cast(maxval, tf.float32)
    return random_numbers.uniform(draw_seed(seed), static) * (high - low) + low


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Return normal random numbers."""
    static = _static(shape, dtype)
    width, middle = tf.cast(stddev, tf.float32), tf.cast(mean, tf.float32)
    return random_numbers.normal(draw_seed(seed), static) * width + middle


def _noise_shape(inputs: Any, noise_shape: Any) -> Any:
    if noise_shape is None:
        return inputs.shape
    pairs = zip(noise_shape, inputs.shape, strict=True)
    return [length if wanted is None else wanted for wanted, length in pairs]


def _static(shape: Any, dtype: Any) -> Sequence[int]:
    """Return a static shape of float32 numbers.

    Raises:
        ValueError: if a length is known only at run time, or for another type of numbers.
    """
    if tf.as_dtype(dtype or keras.config.floatx()) != tf.float32:
        raise ValueError("the random numbers are not of type float32")
    if tf.is_tensor(shape):
        shape = tf.get_static_value(shape, partial=True)
    lengths = [None] if shape is None else list(shape)
    lengths = [
        tf.get_static_value(length) if tf.is_tensor(length) else length for length in lengths
    ]
    known = [int(length) for length in lengths if length is not None]
    if len(known) < len(lengths):
        raise ValueError("a length is known only at run time")
    return known
