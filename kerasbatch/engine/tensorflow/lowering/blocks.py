"""Pools whose windows neither overlap nor leave gaps: most pools.

Their input is a tensor of blocks, and the gradient of a maximum is a mask over it. As a sum of
padded slices, XLA would calculate it anew for each place of a window: 1.7 times slower, for a
training of two convolutions and two pools.
"""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering.keras_operations import is_on_tape
from kerasbatch.engine.tensorflow.lowering.windows import MAX_PARTS, Windows


def are_blocks(windows: Windows) -> bool:
    """Return whether the windows lie side by side, in at most two dimensions, and are small.

    TensorFlow computes no masks of the rank that three would have.
    """
    are_side_by_side = all(axis.window == axis.stride for axis in windows.axes)
    return are_side_by_side and len(windows.axes) < 3 and len(windows.places) <= MAX_PARTS


def blocks_of(windows: Windows, inputs: Any, value: Any = 0) -> Any:
    """Return the elements of all windows, shape (batch, *(outputs, window), channels).

    Args:
        windows: windows side by side.
        inputs: shape (batch, *spatial, channels); what is right of the last window is left out.
        value: the padding.
    """
    padded = windows.padded(inputs, value)
    covered = [slice(0, axis.outputs * axis.window) for axis in windows.axes]
    shape = [part for axis in windows.axes for part in (axis.outputs, axis.window)]
    inside = padded[(slice(None), *covered, slice(None))]
    return tf.reshape(inside, (-1, *shape, inputs.shape[-1]))


def sum_of(windows: Windows, blocks: Any) -> Any:
    """Return the sum of every block; its gradient is the same for all elements of a block."""
    return tf.reduce_sum(blocks, _places(windows))


def first_maximum(windows: Windows, blocks: Any) -> Any:
    """Return the maximum of every block; the first one has the gradient.

    Under a gradient tape it is a sum with a mask. The gradient of the slices themselves would be a
    sum of padded tensors, and TensorFlow would keep the graph of a gradient of our own for ever.
    """
    rank, places = len(blocks.shape), _places(windows)
    sizes = [axis.window for axis in windows.axes]
    order = tf.reshape(tf.range(math.prod(sizes)), _broadcast(rank, places, sizes))
    parts = [blocks[_at(rank, places, place)] for place in windows.places]
    largest, first = parts[0], tf.zeros_like(parts[0], tf.int32)
    for number, part in enumerate(parts[1:], start=1):
        is_larger = is_above(part, largest)
        largest = tf.where(is_larger, part, largest)
        first = tf.where(is_larger, number, first)
    if not is_on_tape(blocks):
        return largest
    is_first = _expanded(first, places) == order
    return tf.reduce_sum(tf.where(is_first, blocks, tf.zeros((), blocks.dtype)), places)


def is_above(one: Any, other: Any) -> Any:
    """Return whether numbers are larger than others, or not a number: a maximum shows it."""
    return tf.logical_or(one > other, one != one)


def _places(windows: Windows) -> list[int]:
    """Return the dimensions of the elements of a block."""
    return [2 + 2 * number for number in range(len(windows.axes))]


def _broadcast(rank: int, places: Sequence[int], sizes: Sequence[int]) -> list[int]:
    shape = [1] * rank
    for place, size in zip(places, sizes, strict=True):
        shape[place] = size
    return shape


def _at(rank: int, places: Sequence[int], place: Sequence[int]) -> tuple[Any, ...]:
    index: list[Any] = [slice(None)] * rank
    for dimension, element in zip(places, place, strict=True):
        index[dimension] = element
    return tuple(index)


def _expanded(array: Any, places: Sequence[int]) -> Any:
    for place in places:
        array = tf.expand_dims(array, place)
    return array
