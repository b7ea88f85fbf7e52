"""Maximum and average pools as slices of their input, with the channels last."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering.blocks import (
    are_blocks,
    blocks_of,
    first_maximum,
    is_above,
    sum_of,
)
from kerasbatch.engine.tensorflow.lowering.windows import Windows, windows_over


def max_pool(inputs: Any, window: Sequence[int], strides: Sequence[int], padding: str) -> Any:
    """Return the maximum of every window, with TensorFlow's gradient on CPUs.

    It goes to the first maximum of a window, in three dimensions to all of them. XLA's own gradient
    is a slow scatter. A window with a NaN has the maximum NaN, as under XLA; TensorFlow's kernel
    for two dimensions ignores it.
    """
    windows = windows_over(inputs, window, strides, padding, (1,) * len(window))
    if are_blocks(windows):
        return first_maximum(windows, blocks_of(windows, inputs, inputs.dtype.min))
    parts = list(windows.parts(inputs, value=inputs.dtype.min))
    if len(window) < THREE_DIMENSIONS:
        return functools.reduce(_first_maximum, parts)
    return _maximum_with_ties(parts)


THREE_DIMENSIONS = 3


def _first_maximum(one: Any, other: Any) -> Any:
    return tf.where(is_above(other, one), other, one)


def _maximum_with_ties(parts: Sequence[Any]) -> Any:
    """Return the maximum; every part that equals it has its gradient, unless it is infinite."""
    largest = tf.stop_gradient(functools.reduce(tf.maximum, parts))
    shares = (
        tf.where(part == largest, part - tf.stop_gradient(part), tf.zeros_like(part))
        for part in parts
    )
    total = functools.reduce(tf.add, shares, largest)
    return tf.where(tf.math.is_finite(largest), total, largest)


def average_pool(inputs: Any, window: Sequence[int], strides: Sequence[int], padding: str) -> Any:
    """Return the mean of every window, over its elements inside the input."""
    windows = windows_over(inputs, window, strides, padding, (1,) * len(window))
    if are_blocks(windows):
        total = sum_of(windows, blocks_of(windows, inputs))
    else:
        total = functools.reduce(tf.add, windows.parts(inputs))
    counts = _counts(windows)
    if (counts == math.prod(window)).all():
        return total / tf.cast(math.prod(window), inputs.dtype)
    return total / tf.cast(counts[None, ..., None], inputs.dtype)


def _counts(windows: Windows) -> Any:
    """Return the elements of every window inside the input, shape (*outputs)."""
    counts = np.ones(())
    for axis in windows.axes:
        inside = np.pad(np.ones(axis.size), axis.pads)
        along = sum(inside[axis.elements(place)] for place in range(axis.window))
        counts = counts[..., None] * along
    return counts
