"""Convolutions as slices, one concatenation and a matrix product, with the channels last.

XLA's own convolutions lose their fast path inside a loop on CPUs (jax issue 12868).
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering.windows import Axis, Windows, check_parts, windows_over


def conv(
    inputs: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str,
    dilations: Sequence[int],
) -> Any:
    """Return a convolution.

    Args:
        inputs: shape (batch, *spatial, channels).
        kernel: shape (*window, channels / groups, filters).
        strides: the stride of every spatial dimension.
        padding: `valid` or `same`.
        dilations: the dilation of every spatial dimension.
    """
    windows = windows_over(inputs, kernel.shape[:-2], strides, padding, dilations)
    groups = inputs.shape[-1] // kernel.shape[-2]
    if groups == 1:
        return _product(windows, inputs, kernel)
    parts = zip(tf.split(inputs, groups, -1), tf.split(kernel, groups, -1), strict=True)
    return tf.concat([_product(windows, *part) for part in parts], -1)


def _product(windows: Windows, inputs: Any, kernel: Any) -> Any:
    matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
    return tf.tensordot(windows.patches(inputs), matrix, 1)


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str,
    dilations: Sequence[int],
) -> Any:
    """Return a convolution of every channel by itself.

    Args:
        inputs: shape (batch, *spatial, channels).
        kernel: shape (*window, channels, multiplier).
        strides: the stride of every spatial dimension.
        padding: `valid` or `same`.
        dilations: the dilation of every spatial dimension.
    """
    windows = windows_over(inputs, kernel.shape[:-2], strides, padding, dilations)
    channels, multiplier = kernel.shape[-2:]
    factors = tf.unstack(tf.reshape(kernel, (-1, channels * multiplier)))
    if multiplier > 1:
        inputs = tf.repeat(inputs, multiplier, axis=-1)
    products = (part * factor for part, factor in zip(windows.parts(inputs), factors, strict=True))
    return functools.reduce(tf.add, products)


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str,
    dilations: Sequence[int],
    outputs: Sequence[int],
) -> Any:
    """Return a transposed convolution: what a convolution's gradient does to its output.

    Args:
        inputs: shape (batch, *spatial, channels).
        kernel: shape (*window, filters, channels).
        strides: the stride of every spatial dimension.
        padding: `valid` or `same`, of the convolution.
        dilations: the dilation of every spatial dimension.
        outputs: the spatial shape of the result, the input of the convolution.
    """
    filters, channels = kernel.shape[-2:]
    window = kernel.shape[:-2]
    check_parts(math.prod(window))
    matrix = tf.transpose(tf.reshape(kernel, (-1, channels)))
    products = tf.split(tf.tensordot(inputs, matrix, 1), math.prod(window), -1)
    axes = [
        Axis(size, kernel_size, stride, dilation, padding)  # type: ignore[arg-type]
        for size, kernel_size, stride, dilation in zip(
            outputs, window, strides, dilations, strict=True
        )
    ]
    spread = [_spread(product, strides) for product in products]
    places = itertools.product(*(range(size) for size in window))
    total = functools.reduce(
        tf.add,
        (_placed(part, axes, place) for part, place in zip(spread, places, strict=True)),
    )
    inside = [slice(axis.pads[0], axis.pads[0] + axis.size) for axis in axes]
    result = total[(slice(None), *inside, slice(None))]
    return tf.ensure_shape(result, (None, *outputs, filters))


def _spread(inputs: Any, strides: Sequence[int]) -> Any:
    """Return a tensor with stride - 1 zeros between its neighbours in every spatial dimension."""
    for axis, stride in enumerate(strides, start=1):
        if stride > 1:
            size = inputs.shape[axis]
            wide = tf.expand_dims(inputs, axis + 1)
            pads = [(0, 0)] * len(wide.shape)
            pads[axis + 1] = (0, stride - 1)
            shape = [-1, *inputs.shape[1:axis], size * stride, *inputs.shape[axis + 1 :]]
            inputs = tf.reshape(tf.pad(wide, pads), shape)
            last = (size - 1) * stride + 1
            inputs = inputs[(slice(None),) * axis + (slice(0, last),)]
    return inputs


def _placed(part: Any, axes: Sequence[Axis], place: Sequence[int]) -> Any:
    """Return what one place of all windows adds to the padded input of the convolution."""
    pads = [(0, 0)]
    for number, (axis, at) in enumerate(zip(axes, place, strict=True), start=1):
        before = at * axis.dilation
        length = max(sum(axis.pads) + axis.size, (axis.outputs - 1) * axis.stride + axis.span)
        pads.append((before, length - before - part.shape[number]))
    return tf.pad(part, [*pads, (0, 0)])
