"""Lowered operations in place of Keras' own, while a step is traced."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering import (
    convolutions,
    keras_operations,
    pools,
    random_operations,
)
from kerasbatch.engine.tensorflow.lowering.errors import CannotLowerError

Operation = Callable[..., Any]
_LOCK = threading.RLock()
"""Held while Keras' operations are replaced, because they belong to the whole process."""


@contextlib.contextmanager
def lowered(*, with_convolutions: bool) -> Iterator[list[str]]:
    """Replace Keras' operations in this thread; yield those that stay native.

    Layers that call TensorFlow's operations themselves keep them.

    Args:
        with_convolutions: False for pools and random numbers alone.
    """
    native: list[str] = []
    names = [name for name in LOWERED if with_convolutions or name not in CONVOLUTIONS]
    with replaced(names, lambda original: _lowered_or_native(original, native)):
        yield native


@contextlib.contextmanager
def replaced(names: Sequence[str], replace: Callable[[Operation], Operation]) -> Iterator[None]:
    """Replace Keras' operations in this thread.

    Args:
        names: their names.
        replace: returns the replacement of an operation.
    """
    with _LOCK, contextlib.ExitStack() as stack:
        owner = threading.get_ident()
        for name in names:
            module = keras_operations.module(name)
            original = getattr(module, name)
            stack.callback(setattr, module, name, original)
            setattr(module, name, _in_thread(owner, replace(original), original))
        yield


def _in_thread(owner: int, operation: Operation, original: Operation) -> Operation:
    def either(*arguments: Any, **options: Any) -> Any:
        is_owner = threading.get_ident() == owner
        return (operation if is_owner else original)(*arguments, **options)

    either.__name__ = original.__name__
    return either


def _lowered_or_native(original: Operation, native: list[str]) -> Operation:
    name = original.__name__

    def operation(*arguments: Any, **options: Any) -> Any:
        try:
            return LOWERED[name](*arguments, **options)
        except CannotLowerError as reason:
            native.append(f"{name}: {reason}")
            return original(*arguments, **options)

    return operation


def _max_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    return _pool(pools.max_pool, inputs, pool_size, strides, padding, data_format)


def _average_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    return _pool(pools.average_pool, inputs, pool_size, strides, padding, data_format)


def _pool(
    pool: Operation, inputs: Any, size: Any, strides: Any, padding: str, data_format: str | None
) -> Any:
    inputs, is_first = _channels_last(inputs, data_format)
    window = _each(size, inputs)
    outputs = pool(inputs, window, _each(size if strides is None else strides, inputs), padding)
    return _channels_first(outputs) if is_first else outputs


def _conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    return _convolve(
        convolutions.conv, inputs, kernel, strides, padding, data_format, dilation_rate
    )


def _depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    return _convolve(
        convolutions.depthwise_conv, inputs, kernel, strides, padding, data_format, dilation_rate
    )


def _separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    between = _depthwise_conv(
        inputs, depthwise_kernel, strides, padding, data_format, dilation_rate
    )
    return _conv(between, pointwise_kernel, 1, "valid", data_format, 1)


def _convolve(
    convolution: Operation,
    inputs: Any,
    kernel: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
    dilation_rate: Any,
) -> Any:
    inputs, is_first = _channels_last(inputs, data_format)
    steps, dilations = _each(strides, inputs), _each(dilation_rate, inputs)
    kernel = tf.convert_to_tensor(kernel)
    outputs = convolution(inputs, kernel, steps, padding, dilations)
    return _channels_first(outputs) if is_first else outputs


def _conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    inputs, is_first = _channels_last(inputs, data_format)
    kernel = tf.convert_to_tensor(kernel)
    outputs = convolutions.conv_transpose(
        inputs,
        kernel,
        _each(strides, inputs),
        padding,
        _each(dilation_rate, inputs),
        keras_operations.transposed_shape(
            inputs, kernel, strides, padding, output_padding, dilation_rate
        ),
    )
    return _channels_first(outputs) if is_first else outputs


CONVOLUTIONS = ("conv", "depthwise_conv", "separable_conv", "conv_transpose")
LOWERED: dict[str, Operation] = {
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "conv": _conv,
    "depthwise_conv": _depthwise_conv,
    "separable_conv": _separable_conv,
    "conv_transpose": _conv_transpose,
    "dropout": random_operations.dropout,
    "uniform": random_operations.uniform,
    "normal": random_operations.normal,
}
"""The lowered operations, by the names of Keras' own."""


def _channels_last(inputs: Any, data_format: str | None) -> tuple[Any, bool]:
    """Return inputs with the channels last, and whether they were first.

    Raises:
        CannotLowerError: if a length is known only at run time.
    """
    inputs = tf.convert_to_tensor(inputs)
    if None in inputs.shape[1:]:
        raise CannotLowerError("a length is known only at run time")
    if keras_operations.data_format(data_format) == "channels_last":
        return inputs, False
    return tf.transpose(inputs, [0, *range(2, len(inputs.shape)), 1]), True


def _channels_first(outputs: Any) -> Any:
    last = len(outputs.shape) - 1
    return tf.transpose(outputs, [0, last, *range(1, last)])


def _each(value: Any, inputs: Any) -> tuple[int, ...]:
    """Return a value for every spatial dimension."""
    if isinstance(value, int):
        return (value,) * (len(inputs.shape) - 2)
    return tuple(value)
