"""Every use of XLA against plain `model.fit` over the same batches, for convnets.

SGD, because Adam divides by gradients that are near 0. After more steps a ReLU or a pool changes
its mind, and rounding is amplified, between Keras' own `jit_compile=True` and `False` too.
"""

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fit_support import CLASSES, RANDOM, SPARSE, N, assert_equal, pair
from keras import layers

import kerasbatch as kb
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow import functions
from kerasbatch.engine.tensorflow.lowering.xla_mode import lowering_of

IMAGES = RANDOM.normal(size=(N, 16, 16, 2)).astype(np.float32)
MODES = ("loop", "lowered_loop", "step")


def cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((16, 16, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(4, "softmax"),
        ]
    )


def lenet() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((16, 16, 2)),
            layers.Conv2D(6, 5, padding="same", activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(8, 3, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(20, "tanh"),
            layers.Dense(4, "softmax"),
        ]
    )


def resnet() -> keras.Model:
    inputs = keras.Input((16, 16, 2))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.Conv2D(4, 3, padding="same")(y)
    x = layers.add([x, y])
    outputs = layers.Dense(4, "softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs)


def u_net() -> keras.Model:
    """Two levels, with a transposed convolution and a bypass."""
    convolution = functools.partial(layers.Conv2D, padding="same", activation="relu")
    inputs = keras.Input((16, 16, 2))
    above = convolution(4, 3)(inputs)
    below = convolution(8, 3)(layers.MaxPooling2D()(above))
    up = layers.Conv2DTranspose(4, 2, strides=2, padding="same")(below)
    joined = convolution(4, 3)(layers.concatenate([above, up]))
    outputs = layers.Dense(4, "softmax")(layers.GlobalMaxPooling2D()(joined))
    return keras.Model(inputs, outputs)


def options(mode: str) -> dict[str, Any]:
    """Two epochs of 13 steps and a smaller one."""
    return {
        "optimizer": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
        "epochs": 2,
        "jit_compile": True,
        "settings": EngineSettings(xla_mode=mode),  # type: ignore[arg-type]  # one of MODES
    }


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modes of all traces of blocks with XLA, in their order."""
    modes: list[str] = []

    def recorded(mode: Any) -> Any:
        modes.append(mode)
        return lowering_of(mode)

    monkeypatch.setattr(functions, "lowering_of", recorded)
    keras.utils.clear_session()
    return modes


@pytest.mark.parametrize("mode", MODES)
def test_a_convnet(mode: str, traced: list[str]) -> None:
    models, histories = pair(cnn, IMAGES, CLASSES, **options(mode))
    assert_equal(models, histories, tolerance=1e-6)
    assert traced == [mode]
    assert "with XLA" in histories[0].kerasbatch.why


def two_outputs() -> keras.Model:
    """Keras weighs the losses of outputs by the size of a batch, which the engine hides."""
    inputs = keras.Input((16, 16, 2))
    x = layers.Dropout(0.3)(layers.MaxPooling2D()(layers.Conv2D(4, 3)(inputs)))
    x = layers.Flatten()(x)
    return keras.Model(inputs, [layers.Dense(4, "softmax")(x), layers.Dense(4, "softmax")(x)])


@pytest.mark.parametrize("mode", MODES)
def test_dropout_before_two_outputs(mode: str) -> None:
    """The masks are those of plain Keras, though the size of the batch is hidden."""
    weights = []
    for engine in ("fused", "keras"):
        keras.utils.set_random_seed(1)
        model = two_outputs()
        model.compile(keras.optimizers.SGD(0.05), [SPARSE, SPARSE])
        kb.fit(
            model,
            IMAGES,
            [CLASSES, CLASSES],
            batch_size=8,
            seed=3,
            verbose=0,
            engine=engine,  # type: ignore[arg-type]  # one of them
            jit_compile=True if engine == "fused" else None,
            settings=EngineSettings(xla_mode=mode),  # type: ignore[arg-type]  # one of MODES
        )
        weights.append([np.asarray(weight) for weight in model.weights])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["lowered_loop", "step"])
@pytest.mark.parametrize(("make", "tolerance"), [(lenet, 2e-6), (resnet, 5e-6), (u_net, 2e-6)])
def test_other_convnets(make: Any, tolerance: float, mode: str) -> None:
    """The ResNet of Keras' own `jit_compile=True` is 3.6e-6 from its `False`."""
    assert_equal(*pair(make, IMAGES, CLASSES, **options(mode)), tolerance=tolerance)


@pytest.mark.parametrize("mode", ["lowered_loop", "step"])
def test_a_dataset_and_streamed_data(mode: str) -> None:
    """The same numbers as with resident arrays."""
    settings = EngineSettings(xla_mode=mode, short_epoch=0)  # type: ignore[arg-type]
    streaming = EngineSettings(xla_mode=mode, memory_share=0)  # type: ignore[arg-type]
    batches = tf.data.Dataset.from_tensor_slices((IMAGES, CLASSES)).batch(8)
    weights = []
    for data, how in (
        ((IMAGES, CLASSES), settings),
        ((IMAGES, CLASSES), streaming),
        ((batches,), settings),
    ):
        keras.utils.set_random_seed(1)
        model = cnn()
        model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
        history = kb.fit(
            model,
            *data,
            epochs=2,
            shuffle=False,
            verbose=0,
            jit_compile=True,
            engine="fused",
            settings=how,
            **({} if len(data) == 1 else {"batch_size": 8}),
        )
        weights.append([np.asarray(weight) for weight in model.weights])
        assert "with XLA" in history.kerasbatch.why
    for other in weights[1:]:
        for one, two in zip(weights[0], other, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("mode", ["lowered_loop", "step"])
def test_a_loss_that_is_not_finite_ends_the_training_at_its_step(mode: str) -> None:
    values = CLASSES.astype("float32")
    values[40] = 1e30  # its square is infinite
    model = cnn()
    model.compile("sgd", "mse")
    history = kb.fit(
        model,
        IMAGES,
        np.tile(values[:, None], 4),
        batch_size=8,
        shuffle=False,
        verbose=0,
        jit_compile=True,
        callbacks=[keras.callbacks.TerminateOnNaN()],
        settings=EngineSettings(xla_mode=mode),  # type: ignore[arg-type]
    )
    assert history.kerasbatch.engine == "fused"
    assert int(model.optimizer.iterations) == 6


def test_a_convolution_that_cannot_be_lowered_is_compiled_step_by_step(traced: list[str]) -> None:
    """Windows with gaps in three dimensions, which TensorFlow places elsewhere."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 8, 1)),
            layers.Conv3D(2, 1, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(4, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = RANDOM.normal(size=(16, 8, 8, 8, 1))
    history = kb.fit(model, x, CLASSES[:16], batch_size=8, verbose=0, jit_compile=True)
    assert "compiled with XLA, step by step, because of conv: TensorFlow" in history.kerasbatch.why
    tried = traced.count("lowered_loop")
    again = kb.fit(model, x, CLASSES[:16], batch_size=8, verbose=0, jit_compile=True)
    assert again.kerasbatch.why == history.kerasbatch.why
    assert traced.count("lowered_loop") == tried == 1


def test_a_convolution_that_cannot_be_lowered_late() -> None:
    """The batches go on without XLA."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 8, 1)),
            layers.Conv3D(2, 1, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(4, "softmax"),
        ]
    )
    model.compile("sgd", SPARSE)
    x = RANDOM.normal(size=(64, 8, 8, 8, 1)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, CLASSES[:64])).batch(2, drop_remainder=True)
    endless = data.filter(lambda x, y: True)
    settings = EngineSettings(xla_steps=4, short_epoch=0)
    history = kb.fit(model, endless, shuffle=False, verbose=0, engine="fused", settings=settings)
    assert "; but then without XLA, because of conv: TensorFlow" in history.kerasbatch.why
    assert int(model.optimizer.iterations) == 32


def test_a_pool_that_cannot_be_lowered_is_named() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 8, 1)),
            layers.MaxPooling3D(1, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(4, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = RANDOM.normal(size=(16, 8, 8, 8, 1))
    history = kb.fit(model, x, CLASSES[:16], batch_size=8, verbose=0, jit_compile=True)
    assert "; TensorFlow's own max_pool: TensorFlow places windows" in history.kerasbatch.why
