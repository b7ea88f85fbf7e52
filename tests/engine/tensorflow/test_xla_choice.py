"""The choice of XLA: what is read from a step, and what follows from it."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.tensorflow import xla_choice
from kerasbatch.engine.tensorflow.step_operations import StepOperations, read_operations
from kerasbatch.engine.tensorflow.xla_choice import (
    PlannedSteps,
    best_mode,
    choose_xla,
    steps_to_pay,
)
from kerasbatch.engine.tensorflow.xla_costs import costs_with, state_size

EIGEN, ONEDNN = costs_with(onednn=False), costs_with(onednn=True)
IMAGES = (np.zeros((2, 28, 28, 1), "float32"), np.zeros(2))
ROWS = (np.zeros((2, 50), "float32"), np.zeros(2))


def compiled(*parts: keras.Layer, shape: Any = (28, 28, 1), jit: Any = "auto") -> keras.Model:
    model = keras.Sequential([keras.Input(shape), *parts])
    model.compile("adam", "mse", jit_compile=jit)
    return model


def convnet(**options: Any) -> keras.Model:
    return compiled(
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(1),
        **options,
    )


def operations(model: keras.Model, batch: Any = IMAGES, size: int | None = 16) -> StepOperations:
    operations = read_operations(model, batch, size)
    assert isinstance(operations, StepOperations)
    return operations


def test_patches_are_windows_times_elements() -> None:
    """26 x 26 windows of 3 x 3 x 1, then 11 x 11 of 3 x 3 x 32, in float32."""
    found = operations(convnet())
    assert found.convolutions == 2
    assert found.patch_bytes == 16 * 4 * (26 * 26 * 9 + 11 * 11 * 9 * 32)
    assert found.native == ()
    transposed = operations(
        compiled(layers.Conv2DTranspose(8, 3, strides=2), layers.Flatten(), layers.Dense(1))
    )
    assert transposed.patch_bytes == 3 * 16 * 4 * 28 * 28 * 9 * 8  # made, added, made again
    separable = operations(
        compiled(layers.SeparableConv2D(8, 3), layers.Flatten(), layers.Dense(1))
    )
    assert separable.patch_bytes == 16 * 4 * 26 * 26 * (9 + 1)


def test_the_steps_of_a_recurrent_layer_count() -> None:
    short, long = (
        operations(
            compiled(layers.LSTM(4), layers.Dense(1), shape=(steps, 3)), (np.zeros((2, steps, 3)),)
        )
        for steps in (10, 50)
    )
    assert short.traced == long.traced
    assert long.executed > 4 * short.executed


class OwnConvolution(layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.nn.conv2d(x, tf.ones((3, 3, 1, 2)), 1, "SAME")


class HiddenConvolution(layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.function(lambda x: tf.nn.conv2d(x, tf.ones((3, 3, 1, 2)), 1, "SAME"))(x)


class OwnPool(layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.nn.max_pool2d(x, 2, 2, "SAME")


@pytest.mark.parametrize("layer", [OwnConvolution, HiddenConvolution])
def test_convolutions_that_keras_does_not_call(layer: Any) -> None:
    own = operations(
        compiled(layer(), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)),
    )
    assert own.native == ("convolutions",)
    assert best_mode(own, EIGEN)[0] == "step"


def test_pools_that_keras_does_not_call() -> None:
    own = operations(compiled(OwnPool(), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(1)))
    assert own.native == ("pools",)
    assert best_mode(own, EIGEN)[0] == "none"


def test_random_numbers_that_are_not_lowered_cost() -> None:
    def dropped(dtype: str) -> StepOperations:
        return operations(
            compiled(layers.Dropout(0.5, dtype=dtype), layers.Dense(1), shape=(50,)), ROWS
        )

    assert dropped("float32").random_elements == 0
    assert dropped("bfloat16").random_elements == 16 * 50


def test_groups_and_recurrent_convolutions_are_read_at_their_call() -> None:
    """Keras itself puts them into functions and loops."""
    grouped = operations(
        compiled(
            layers.Conv2D(4, 3),
            layers.Conv2D(4, 3, groups=2),
            layers.Flatten(),
            layers.Dense(1),
        )
    )
    assert grouped.native == ()
    assert grouped.patch_bytes == 16 * 4 * (26 * 26 * 9 + 24 * 24 * 9 * 4)
    movie = np.zeros((2, 3, 8, 8, 1), "float32"), np.zeros(2)
    recurrent = operations(
        compiled(layers.ConvLSTM2D(2, 3), layers.Flatten(), layers.Dense(1), shape=(3, 8, 8, 1)),
        movie,
    )
    assert recurrent.convolves
    assert recurrent.native == ()
    assert best_mode(recurrent, EIGEN)[0] == "lowered_loop"


def test_a_batch_size_that_nobody_knows() -> None:
    """Patches may be of any size."""
    unknown = operations(convnet(), size=None)
    assert unknown.patch_bytes is None
    assert best_mode(unknown, EIGEN)[0] == "step"


class Adversary(keras.Model):
    """A model of a train_step alone."""

    def __init__(self) -> None:
        super().__init__()
        self.one = keras.Sequential([keras.Input((50,)), layers.Dense(8), layers.Dense(1)])

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.one(x) ** 2)
        variables = self.one.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


def test_an_own_step_is_read_whole() -> None:
    model = Adversary()
    model.compile("adam")
    before = [np.asarray(weight) for weight in model.one.weights]
    assert operations(model, ROWS).executed > 5
    for weight, value in zip(model.one.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


class Refusing(layers.Layer):
    def call(self, x: Any) -> Any:
        if tf.inside_function():
            raise RuntimeError("never traced")
        return x

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape)


def test_a_step_that_cannot_be_read() -> None:
    model = compiled(Refusing(), layers.Dense(1), shape=(50,))
    assert "never traced" in read_operations(model, ROWS, 16)  # type: ignore[operator]
    choice = choose_xla(model, PlannedSteps(ROWS, 16, 10**6), None, DEFAULT_SETTINGS)
    assert choice.mode == "none"
    assert "cannot be read beforehand (RuntimeError" in choice.why


@pytest.mark.parametrize(
    ("facts", "eigen", "onednn"),
    [
        ({}, "loop", "loop"),
        ({"convolutions": 2, "patch_bytes": 10**6}, "lowered_loop", "lowered_loop"),
        ({"convolutions": 2, "patch_bytes": 15 * 10**6}, "lowered_loop", "none"),
        ({"convolutions": 2, "patch_bytes": 10**9}, "step", "none"),
        ({"convolutions": 2, "patch_bytes": None}, "step", "none"),
        ({"native": ("convolutions",)}, "step", "none"),
        ({"native": ("pools",)}, "none", "none"),
        ({"convolutions": 2, "patch_bytes": 10**6, "is_depthwise": True}, *["lowered_loop"] * 2),
        ({"convolutions": 2, "patch_bytes": 10**9, "is_depthwise": True}, "none", "none"),
    ],
)
def test_the_best_use(facts: dict[str, Any], eigen: str, onednn: str) -> None:
    """The convolutions of oneDNN are faster than those of XLA, and those of Eigen are not."""
    operations = StepOperations(10, 10, 1000, **facts)
    assert best_mode(operations, EIGEN)[0] == eigen
    assert best_mode(operations, ONEDNN)[0] == onednn
    assert best_mode(operations, ONEDNN, has_gpu=True) == ("loop", "")


def test_more_work_pays_earlier() -> None:
    small, large = StepOperations(10, 10, 1000), StepOperations(10, 400, 1000)
    few = steps_to_pay("loop", large, 1000, EIGEN)
    many = steps_to_pay("loop", small, 1000, EIGEN)
    assert few is not None
    assert many is not None
    assert few < many / 5
    assert steps_to_pay("loop", small, 1000, EIGEN, share=0.5) >= 2 * many - 1  # type: ignore[operator]
    assert steps_to_pay("step", StepOperations(1, 1, 1), 1, EIGEN) is None


def test_random_numbers_cost_where_they_are_lowered_too() -> None:
    """Also in the loop of a recurrent layer, of which the graph itself holds none."""
    plain, dropped = (
        operations(
            compiled(layers.LSTM(8, recurrent_dropout=rate), layers.Dense(1), shape=(20, 3)),
            (np.zeros((2, 20, 3), "float32"), np.zeros(2)),
        )
        for rate in (0.0, 0.5)
    )
    assert (plain.lowered_random_calls, plain.random_elements) == (0, 0)
    assert dropped.lowered_random_calls > 0
    assert dropped.random_elements == 0


def test_an_embedding_counts_in_part() -> None:
    model = compiled(layers.Embedding(1000, 8), layers.Flatten(), layers.Dense(1), shape=(4,))
    model.optimizer.build(model.trainable_variables)
    rows, others = 1000 * 8, 4 * 8 + 1
    assert state_size(model, EIGEN) == pytest.approx(3 * (others + 0.2 * rows), rel=0.01)


def test_it_needs_the_steps_that_pay() -> None:
    model = compiled(layers.Dense(8), layers.Dense(1), shape=(50,))

    def choice(count: int | None, asked: bool | None = None, **settings: Any) -> Any:
        steps = PlannedSteps(ROWS, 16, count)
        return choose_xla(model, steps, asked, EngineSettings(**settings))

    after = choice(None).after
    assert after > DEFAULT_SETTINGS.least_xla_steps
    assert f"after {after:,} steps, for nobody knows" in choice(None).why
    assert choice(after).mode == "loop"
    assert choice(after).why == f"compiled with XLA, which pays off over {after:,} steps"
    few = choice(after - 1)
    assert few == (
        "none",
        f"without XLA, whose compilation would not pay in {after - 1:,} steps",
        0,
    )
    assert choice(1, asked=True).mode == "loop"
    assert choice(10**6, asked=False) == ("none", "without XLA, as asked for", 0)
    assert choice(7, xla_steps=7).mode == "loop"
    assert choice(6, xla_steps=7).mode == "none"


def test_onednn_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same training takes another path where TensorFlow has other convolutions."""
    steps = PlannedSteps(IMAGES, 100, 10**5)
    modes, reasons = {}, {}
    for onednn in (False, True):
        monkeypatch.setattr(xla_choice.tensorflow_private, "uses_onednn", lambda on=onednn: on)
        choice = choose_xla(convnet(), steps, None, DEFAULT_SETTINGS)
        modes[onednn], reasons[onednn] = choice.mode, choice.why
    assert modes == {False: "lowered_loop", True: "none"}
    assert "slower than those of oneDNN" in reasons[True]


def test_jit_compile_of_the_user_decides_and_the_way_is_chosen() -> None:
    steps = PlannedSteps(IMAGES, 16, 1)
    choice = choose_xla(convnet(), steps, True, DEFAULT_SETTINGS)
    assert choice.mode == "lowered_loop"
    assert choice.why == (
        "with XLA, convolutions as matrix products with patches of 2.6 MB a step, as asked for"
    )
    assert choose_xla(convnet(), steps, None, DEFAULT_SETTINGS).mode == "none"


def test_models_of_one_configuration_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new model of a loop over folds costs no trace."""
    from kerasbatch.engine.tensorflow import step_operations

    reads: list[int] = []
    read = step_operations.read_operations

    def counted(*arguments: Any) -> Any:
        reads.append(1)
        return read(*arguments)

    monkeypatch.setattr(step_operations, "read_operations", counted)
    keras.utils.clear_session()
    results = [step_operations.step_operations(convnet(), IMAGES, 16) for _ in range(3)]
    assert len(reads) == 1
    assert results[0] == results[2] == operations(convnet())
    assert step_operations.step_operations(convnet(), IMAGES, 8) != results[0]
    assert len(reads) == 2
