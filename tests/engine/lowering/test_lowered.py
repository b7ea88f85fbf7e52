"""Lowered operations against Keras' own: values and gradients, over several hundred shapes."""

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasbatch.engine.lowering import keras_operations
from kerasbatch.engine.lowering.backend import LOWERED, lowered

SPATIAL = (7, 8, 6)
NATIVE = {name: getattr(keras_operations.module(name), name) for name in LOWERED}


def random(*shape: int, seed: int = 0, ties: bool = False) -> Any:
    """Values around 0; with ties, whole numbers from 0 on."""
    values = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return np.maximum(np.round(values), 0) if ties else values


def value_and_gradients(operation: Callable[..., Any], arrays: Any) -> list[Any]:
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs = operation(*tensors)
        weights = random(*outputs.shape, seed=1)
        total = tf.reduce_sum(outputs * weights)
    return [outputs, *tape.gradient(total, tensors)]


def _apply(operation: Callable[..., Any], arguments: Any, *tensors: Any) -> Any:
    return operation(*tensors, *arguments)


def assert_same(name: str, arrays: Any, *arguments: Any) -> None:
    """Lowered and native, to the rounding of float32."""
    lowered_one, native = (
        value_and_gradients(functools.partial(_apply, operations[name], arguments), arrays)
        for operations in (LOWERED, NATIVE)
    )
    for one, other in zip(lowered_one, native, strict=True):
        scale = 1e-6 + np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, atol=2e-6)


def geometries() -> Iterator[Any]:
    """Windows, strides, dilations and paddings; TensorFlow has no stride with a dilation."""
    for window, stride, dilation, padding in itertools.product(
        (1, 2, 3), (1, 2, 3), (1, 2), ("valid", "same")
    ):
        if stride == 1 or dilation == 1:
            yield window, stride, padding, dilation


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions(dimensions: int, groups: int) -> None:
    """Of one, two and three dimensions, also in groups."""
    x = random(2, *SPATIAL[:dimensions], 4)
    for window, stride, padding, dilation in geometries():
        if dimensions == 3 and padding == "same" and window < stride:
            continue  # these stay native
        kernel = random(*(window,) * dimensions, 4 // groups, 6)
        assert_same("conv", [x, kernel], stride, padding, "channels_last", dilation)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_depthwise_and_separable_convolutions(dimensions: int) -> None:
    """Each channel by itself, then all of them."""
    x = random(2, *SPATIAL[:dimensions], 4)
    for window, stride, padding, dilation in geometries():
        depthwise = random(*(window,) * dimensions, 4, 2)
        pointwise = random(*(1,) * dimensions, 8, 3)
        rest = stride, padding, "channels_last", dilation
        assert_same("depthwise_conv", [x, depthwise], *rest)
        assert_same("separable_conv", [x, depthwise, pointwise], *rest)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_transposed_convolutions(dimensions: int) -> None:
    """With padded outputs, too; TensorFlow has no dilated ones on a CPU."""
    x = random(2, *SPATIAL[:dimensions], 4)
    for window, stride, padding, dilation in geometries():
        if dilation > 1 or (dimensions == 3 and padding == "same" and window < stride):
            continue
        kernel = random(*(window,) * dimensions, 5, 4)
        for added in {None, min(1, stride - 1) if padding == "valid" else None}:
            assert_same("conv_transpose", [x, kernel], stride, padding, added, "channels_last")


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_pools(dimensions: int, ties: bool) -> None:
    """Overlapping ones, too; with ties, the gradient goes where TensorFlow's goes."""
    x = random(2, *SPATIAL[:dimensions], 3, ties=ties)
    for window, stride, padding in itertools.product((1, 2, 3), (1, 2, 3), ("valid", "same")):
        if dimensions == 3 and padding == "same" and window < stride:
            continue
        for name in ("max_pool", "average_pool"):
            assert_same(name, [x], window, stride, padding, "channels_last")


def test_windows_of_unequal_sides() -> None:
    """Each dimension has its own."""
    x = random(2, 9, 8, 4)
    assert_same("conv", [x, random(3, 2, 4, 5)], (2, 1), "same", "channels_last", 1)
    assert_same("max_pool", [x], (3, 2), (1, 2), "same", "channels_last")
    assert_same("average_pool", [x], (2, 3), None, "valid", "channels_last")


@pytest.mark.parametrize("dimensions", [1, 2])
def test_channels_first(dimensions: int) -> None:
    """Against the same with the channels last, because TensorFlow has none of them on CPUs."""
    x, kernel = random(2, *SPATIAL[:dimensions], 4), random(*(3,) * dimensions, 4, 5)
    first = np.moveaxis(x, -1, 1)
    for name, arguments in (("conv", [kernel, 2, "same"]), ("max_pool", [3, 2, "same"])):
        last = LOWERED[name](x, *arguments, "channels_last")
        np.testing.assert_array_equal(
            np.moveaxis(LOWERED[name](first, *arguments, "channels_first"), 1, -1), last
        )


def test_layers_use_them_in_the_context_only() -> None:
    """In the thread that asked for it; afterwards Keras has its own again."""
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.MaxPooling2D()]
    )

    def operations() -> set[str]:
        graph = (
            tf.function(lambda x: model(x))
            .get_concrete_function(tf.TensorSpec((2, 8, 8, 1), tf.float32))
            .graph
        )
        return {operation.type for operation in graph.get_operations()}

    elsewhere: list[set[str]] = []
    native = {"Conv2D", "MaxPool"}
    with lowered(with_convolutions=True) as kept:
        assert not operations() & native
        thread = threading.Thread(target=lambda: elsewhere.append(operations()))
        thread.start()
        thread.join()
    assert elsewhere[0] >= native
    assert operations() >= native
    assert kept == []
    with lowered(with_convolutions=False):
        assert operations() & native == {"Conv2D"}


def test_what_cannot_be_lowered_stays_native() -> None:
    """With the reason."""
    layer = keras.layers.Conv1D(2, 3)
    layer.build((None, None, 1))
    with lowered(with_convolutions=True) as kept:
        tf.function(lambda x: layer(x)).get_concrete_function(
            tf.TensorSpec((2, None, 1), tf.float32)
        )
    assert kept == ["conv: a length is known only at run time"]


def test_the_installed_keras_can_be_lowered() -> None:
    """All names are there."""
    assert keras_operations.can_lower()
