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
from tensorflow.python.framework.ops import gradient_registry

from kerasbatch.engine.tensorflow.lowering import keras_operations
from kerasbatch.engine.tensorflow.lowering.backend import LOWERED, lowered

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
        weights = tf.cast(random(*outputs.shape, seed=1), outputs.dtype)
        total = tf.reduce_sum(outputs * weights)
    return [outputs, *tape.gradient(total, tensors)]


def _apply(operation: Callable[..., Any], arguments: Any, *tensors: Any) -> Any:
    return operation(*tensors, *arguments)


def assert_same(name: str, arrays: Any, *arguments: Any, tolerance: float = 2e-6) -> None:
    """Lowered and native, to the rounding of float32."""
    lowered_one, native = (
        value_and_gradients(functools.partial(_apply, operations[name], arguments), arrays)
        for operations in (LOWERED, NATIVE)
    )
    for one, other in zip(lowered_one, native, strict=True):
        assert one.dtype == other.dtype
        one, other = (np.asarray(each).astype("float64") for each in (one, other))
        scale = 1e-6 + np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, atol=tolerance)


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


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float16", 5e-3), ("bfloat16", 3e-2)]
)
def test_other_types_of_numbers(dtype: str, tolerance: float) -> None:
    """To their own rounding; the result has the same type."""
    x = tf.cast(random(2, 7, 6, 4), dtype)
    kernel, depthwise = (tf.cast(random(3, 3, 4, n), dtype) for n in (5, 1))
    rest = 1, "same", "channels_last"
    assert_same("conv", [x, kernel], *rest, tolerance=tolerance)
    assert_same("depthwise_conv", [x, depthwise], *rest, tolerance=tolerance)
    transposed = tf.cast(random(3, 3, 5, 4), dtype)
    assert_same("conv_transpose", [x, transposed], 2, "same", tolerance=tolerance)
    for name in ("max_pool", "average_pool"):
        assert_same(name, [x], 2, 2, "valid", "channels_last", tolerance=tolerance)
        assert_same(name, [x], 3, 2, "same", "channels_last", tolerance=tolerance)


def kernel_of(name: str, dimensions: int) -> Any:
    if name == "conv_transpose":
        return random(*(3,) * dimensions, 5, 4)
    return random(*(3,) * dimensions, 4, 1 if name == "depthwise_conv" else 5)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(
    "name", ["conv", "depthwise_conv", "conv_transpose", "max_pool", "average_pool"]
)
def test_channels_first(name: str, dimensions: int) -> None:
    """Against the same with the channels last, because TensorFlow has none of them on CPUs."""
    x, is_pool = random(2, *SPATIAL[:dimensions], 4), "pool" in name
    arrays = [x] if is_pool else [x, kernel_of(name, dimensions)]
    window = {"pool_size": 3} if is_pool else {}

    def of_format(data_format: str) -> Callable[..., Any]:
        return functools.partial(
            LOWERED[name], **window, strides=2, padding="same", data_format=data_format
        )

    def first(x: Any, *kernels: Any) -> Any:
        moved = tf.transpose(x, [0, dimensions + 1, *range(1, dimensions + 1)])
        outputs = of_format("channels_first")(moved, *kernels)
        return tf.transpose(outputs, [0, *range(2, dimensions + 2), 1])

    pairs = zip(
        value_and_gradients(first, arrays),
        value_and_gradients(of_format("channels_last"), arrays),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("window", [(2, 2, "valid"), (3, 1, "same"), (3, 2, "valid")])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_maximum_shows_what_is_not_finite(window: Any, dimensions: int) -> None:
    """A NaN in a window makes its maximum NaN, and an infinite one stays infinite."""
    x = random(1, *SPATIAL[:dimensions], 1)
    place = (0, *(2,) * dimensions, 0)
    for value in (np.nan, np.inf):
        x[place] = value
        outputs = np.asarray(LOWERED["max_pool"](x, *window))
        touched = np.asarray(LOWERED["max_pool"](np.where(np.isfinite(x), 0.0, 1.0), *window)) == 1
        assert (np.isnan(outputs) if np.isnan(value) else np.isposinf(outputs))[touched].all()
        assert np.isfinite(outputs[~touched]).all()


def test_inside_loops_and_branches() -> None:
    """Gradients of a loop are those of native operations."""
    x, kernel = random(2, 7, 8, 4), random(3, 3, 4, 4)

    def looped(operations: Any) -> Callable[..., Any]:
        @tf.function
        def run(x: Any, kernel: Any) -> Any:
            def body(at: Any, x: Any) -> Any:
                x = operations["conv"](x, kernel, 1, "same", "channels_last", 1) / 10
                return at + 1, operations["max_pool"](x, 3, 1, "same", "channels_last")

            _, x = tf.while_loop(lambda at, _: at < 3, body, (0, x))
            return tf.cond(
                tf.reduce_sum(x) > 1e9,
                lambda: x[:, ::2, ::2],
                lambda: operations["max_pool"](x[:, :6], 2, 2, "valid", "channels_last"),
            )

        return run

    pairs = zip(
        value_and_gradients(looped(LOWERED), [x, kernel]),
        value_and_gradients(looped(NATIVE), [x, kernel]),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_trace_registers_nothing() -> None:
    """TensorFlow keeps gradients that are registered, with their graphs, for ever."""
    before = set(gradient_registry.list())

    @tf.function(autograph=False)
    def trained(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = [LOWERED["max_pool"](x, 2), LOWERED["max_pool"](x, 3, 1)]
            total = tf.add_n([tf.reduce_sum(each) for each in outputs])
        return tape.gradient(total, x)

    trained(tf.constant(random(2, 8, 8, 1)))
    assert set(gradient_registry.list()) == before


def test_too_many_slices_stay_native() -> None:
    """XLA would compile each."""
    x = random(1, 300, 1)
    with lowered(with_convolutions=True) as kept:
        for name in ("max_pool", "average_pool"):
            operation = getattr(keras_operations.module(name), name)
            np.testing.assert_array_equal(operation(x, 300), NATIVE[name](x, 300))
    assert kept == [
        f"{name}: its windows would be 300 slices" for name in ("max_pool", "average_pool")
    ]


def test_keras_has_its_own_operations_again_after_an_error() -> None:
    """An error while a model is traced changes nothing."""
    with pytest.raises(RuntimeError, match="while tracing"), lowered(with_convolutions=True):
        raise RuntimeError("while tracing")
    for name, native in NATIVE.items():
        assert getattr(keras_operations.module(name), name) is native


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
