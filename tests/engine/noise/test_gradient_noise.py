"""The noise of the gradient: exact where it can be, unbiased, with an interval that holds."""

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import kerasbatch as kb
from kerasbatch.engine.noise.estimate import GradientSums, estimate_noise, exact_noise
from kerasbatch.engine.noise.meter import SMALL_BATCH, NoiseMeter


def sums_of(gradients: Any, small_batch: int = 1, groups: int = 32) -> GradientSums:
    """Add up made gradients of small batches, shape (batches, weights)."""
    rows = np.asarray(gradients, float)
    parts = np.array_split(np.arange(len(rows)), min(groups, len(rows)))
    sums = np.array([rows[part].sum(axis=0) for part in parts])
    return GradientSums(
        norms=(sums**2).sum(axis=1),
        dots=sums @ rows.sum(axis=0),
        squares=np.array([(rows[part] ** 2).sum() for part in parts]),
        counts=np.array([len(part) for part in parts]),
        small_batch=small_batch,
    )


class HalfMse(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean((y_true - y_pred) ** 2, axis=-1) / 2


X, Y = np.array([[0.0], [1], [2], [3]]), np.array([[1.0], [3], [5], [7]])


def line(**options: Any) -> keras.Model:
    """The linear fixture: theta = 0."""
    dense = keras.layers.Dense(1, kernel_initializer="zeros", **options)
    model = keras.Sequential([keras.Input((1,)), dense])
    model.compile("sgd", HalfMse())
    return model


def classifier(*layers: keras.layers.Layer, width: int = 64) -> keras.Model:
    keras.utils.set_random_seed(1)
    inside = layers or (keras.layers.Dense(16, "relu"),)
    model = keras.Sequential([keras.Input((width,)), *inside, keras.layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def digits() -> tuple[Any, Any]:
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


def test_gradients_of_1_or_3() -> None:
    """The noise scale is 1/4; the mean of ratios of batches of 1 and 2 would be -19/7."""
    found = exact_noise(sums_of([[1], [3]]))
    assert (found.trace, found.squared_norm, found.noise_scale) == (1, 4, 0.25)
    random = np.random.default_rng(0)
    many = [estimate_noise(sums_of(random.choice([1.0, 3.0], (500, 1)))) for _ in range(200)]
    assert np.mean([each.trace for each in many]) == pytest.approx(1, rel=0.01)
    assert np.mean([each.squared_norm for each in many]) == pytest.approx(4, rel=0.02)
    assert np.mean([each.noise_scale or np.nan for each in many]) == pytest.approx(0.25, rel=0.05)


def test_both_parts_are_unbiased_for_few_batches_too() -> None:
    """Negative estimates are not clipped, or the mean would be too large."""
    random = np.random.default_rng(0)
    mean = np.array([0.3, -0.2])
    found = [
        estimate_noise(sums_of(mean + random.normal(size=(3, 2)) / 2, small_batch=4))
        for _ in range(9000)
    ]
    assert np.mean([each.trace for each in found]) == pytest.approx(2.0, rel=0.03)
    assert np.mean([each.squared_norm for each in found]) == pytest.approx(0.13, abs=0.01)
    assert min(each.squared_norm for each in found) < 0


def test_the_linear_fixture() -> None:
    """As estimates of a population, and exact for the four examples."""
    found = kb.gradient_noise(line(), X, Y)
    assert found.trace == pytest.approx(93.66667, rel=1e-6)
    assert found.squared_norm == pytest.approx(64.83333, rel=1e-6)
    assert (found.examples, found.small_batch) == (4, 1)
    whole = kb.gradient_noise(line(), X, Y, examples="all")
    assert whole.trace == pytest.approx(70.25, rel=1e-6)
    assert whole.squared_norm == pytest.approx(88.25, rel=1e-6)
    assert whole.low == whole.high == whole.noise_scale == pytest.approx(70.25 / 88.25, rel=1e-6)
    assert whole.message == "exact for these 4 examples"


def test_penalties_move_the_mean_and_add_no_noise() -> None:
    """Those of regularizers are in the mean gradient only."""
    plain = line(bias_initializer="ones")
    kept = line(bias_initializer="ones", bias_regularizer=keras.regularizers.L2(2.0))
    without = kb.gradient_noise(plain, X, Y, examples="all")
    found = kb.gradient_noise(kept, X, Y, examples="all")
    assert found.trace == pytest.approx(without.trace, rel=1e-6)
    gradient = np.array([np.mean(X * (1 - Y)), np.mean(1 - Y) + 2 * 2.0])
    assert found.squared_norm == pytest.approx(gradient @ gradient, rel=1e-6)


def test_weights_of_examples_weigh_their_gradients() -> None:
    """Keras divides by the number of examples, and not by the weights."""
    weights = np.array([0.0, 1, 2, 1])
    gradients = -np.hstack([X * Y, Y]) * weights[:, None]
    found = kb.gradient_noise(line(), X, Y, sample_weight=weights, examples="all")
    mean = gradients.mean(axis=0)
    assert found.squared_norm == pytest.approx(mean @ mean, rel=1e-6)
    assert found.trace == pytest.approx(((gradients - mean) ** 2).sum(axis=1).mean(), rel=1e-6)


def dense_gradients(model: keras.Model, x: Any, y: Any) -> tuple[float, float]:
    """|g_i|^2 summed up, and |sum g_i|^2, from activations and deltas of two Dense layers."""
    first, last = model.layers
    hidden = np.maximum(x @ first.kernel.numpy() + first.bias.numpy(), 0)
    outputs = np.exp(hidden @ last.kernel.numpy() + last.bias.numpy())
    delta = outputs / outputs.sum(axis=1, keepdims=True) - np.eye(10)[y]
    below = (delta @ last.kernel.numpy().T) * (hidden > 0)
    pairs = [(x, below), (hidden, delta)]
    squares = sum(
        ((a**2).sum(axis=1) + 1) @ (d**2).sum(axis=1) for a, d in pairs
    )  # |dW_i|^2 = |a_i|^2 |delta_i|^2, and 1 for the bias
    whole = sum(((a.T @ d) ** 2).sum() + (d.sum(axis=0) ** 2).sum() for a, d in pairs)
    return float(squares), float(whole)


def test_a_network_exactly() -> None:
    """By the algebra of its layers, over all data."""
    model, (x, y) = classifier(), digits()
    squares, whole = dense_gradients(model, x.astype(float), y)
    found = kb.gradient_noise(model, x, y, examples="all")
    n = len(x)
    assert found.squared_norm == pytest.approx(whole / n**2, rel=1e-4)
    assert found.trace == pytest.approx(squares / n - whole / n**2, rel=1e-4)


def test_the_interval_holds_the_exact_value() -> None:
    """90 times of 100 and more, over seeds."""
    model, (x, y) = classifier(), digits()
    meter = NoiseMeter(model, (x, y))
    truth = meter.measure("all").noise_scale
    assert truth is not None
    found = [meter.measure(400, seed=seed) for seed in range(100)]
    assert len({each.trace for each in found}) == 100
    assert sum(each.low <= truth <= each.high for each in found) >= 90
    assert meter.measure(400, seed=3) == found[3]
    assert meter.measure(400, seed=3, draw=2) != found[3]


def test_where_the_gradient_cannot_be_told_from_0() -> None:
    """There is no scale and no upper end; it says what would decide."""
    random = np.random.default_rng(0)
    model = line()
    x = random.normal(size=(400, 1))
    found = kb.gradient_noise(model, x, random.normal(size=(400, 1)) * 3, examples=100)
    assert found.noise_scale is None
    assert math.isinf(found.high)
    assert 0 <= found.low < math.inf
    assert "cannot be distinguished from 0 by 100 examples" in found.message
    assert "more would decide" in found.message
    zero = kb.gradient_noise(model, x, 0 * x, examples="all")
    assert (zero.noise_scale, zero.trace, zero.message) == (None, 0, "the gradient is 0")


def test_examples_are_doubled_until_they_tell_something() -> None:
    """From 2,048 on; what is asked for is what is looked at."""
    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, 1))
    clear = kb.gradient_noise(line(), x, 3 * x)
    assert clear.examples == 2048
    noisy = kb.gradient_noise(line(), x, 0.05 * x + random.normal(size=(20_000, 1)))
    assert noisy.examples in (4096, 8192, 16_384)
    assert kb.gradient_noise(line(), x, 3 * x, examples=777).examples == 777
    assert kb.gradient_noise(line(), x, 3 * x, examples=np.int64(777)).examples == 777
    same = kb.gradient_noise(line(), np.ones((100, 1)), np.ones((100, 1)))
    assert 0 <= same.low <= same.high < 1e-6


def random_layers() -> keras.Model:
    keras.utils.set_random_seed(2)
    return classifier(keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=1))


@pytest.mark.parametrize("examples", [None, 500, "all"])
def test_the_model_stays_as_it_is(examples: Any) -> None:
    """Weights, metrics, optimizer, statistics and seeds; and training goes on as if nothing was."""
    x, y = digits()
    used, other = random_layers(), random_layers()
    used.fit(x, y, epochs=1, verbose=0, shuffle=False)
    other.fit(x, y, epochs=1, verbose=0, shuffle=False)
    variables = [*used.variables, *used.optimizer.variables, *used.metrics_variables]
    before = [np.array(variable) for variable in variables]
    first = kb.gradient_noise(used, x, y, examples=examples)
    assert kb.gradient_noise(used, x, y, examples=examples) == first  # no Dropout
    for old, variable in zip(before, variables, strict=True):
        np.testing.assert_array_equal(old, np.array(variable))
    used.fit(x, y, epochs=1, verbose=0, shuffle=False)
    other.fit(x, y, epochs=1, verbose=0, shuffle=False)
    for one, two in zip(used.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_convolutions_are_measured_by_small_batches() -> None:
    """The same noise, up to its error."""
    x, y = digits()
    conv = keras.layers.Reshape((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()
    model = classifier(*conv)
    found = kb.gradient_noise(model, x, y, examples=1600)
    assert (found.small_batch, found.examples) == (SMALL_BATCH, 1600)
    truth = kb.gradient_noise(model, x, y, examples="all")
    assert truth.noise_scale is not None
    assert found.low < truth.noise_scale < found.high
    assert found.trace == pytest.approx(truth.trace, rel=0.1)


def test_several_inputs_and_outputs_and_whole_numbers() -> None:
    """As Keras takes them, by name; the noise is that of the sum of the losses."""
    words = keras.Input((3,), name="words", dtype="int32")
    number = keras.Input((2,), name="number")
    told = keras.layers.Flatten()(keras.layers.Embedding(7, 4)(words))
    joined = keras.layers.Concatenate()([told, number])
    outputs = {
        "one": keras.layers.Dense(1, name="one")(joined),
        "two": keras.layers.Dense(3, "softmax", name="two")(joined),
    }
    model = keras.Model([words, number], outputs)
    model.compile("sgd", {"one": "mse", "two": "sparse_categorical_crossentropy"})
    random = np.random.default_rng(0)
    x = {"words": random.integers(0, 7, (60, 3)), "number": random.normal(size=(60, 2))}
    y = {"one": random.normal(size=(60, 1)), "two": random.integers(0, 3, 60)}
    found = kb.gradient_noise(model, x, y, examples="all")
    for variable in model.metrics_variables:
        assert float(variable) == 0, variable.path
    with tf.GradientTape() as tape:
        inputs = {"words": x["words"], "number": x["number"].astype(np.float32)}
        loss = model.compute_loss(None, y, model(inputs))
    parts = tape.gradient(loss, [v.value for v in model.trainable_variables])
    norm = sum(float(tf.reduce_sum(tf.square(tf.convert_to_tensor(part)))) for part in parts)
    assert found.squared_norm == pytest.approx(norm, rel=1e-4)


class OwnStep(keras.Sequential):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


def frozen() -> keras.Model:
    model = line()
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    return model


def summed() -> keras.Model:
    model = line()
    model.compile("sgd", keras.losses.MeanSquaredError(reduction="sum"))
    return model


def without_loss() -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd")
    return model


def own_step() -> keras.Model:
    model = OwnStep([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("model", "x", "y", "examples", "told"),
    [
        (without_loss, X, Y, None, "it has no loss; call model.compile"),
        (own_step, X, Y, None, "its train_step is its own"),
        (frozen, X, Y, None, "none of its weights is trained"),
        (summed, X, Y, None, "its loss is reduced by sum"),
        (line, X[:1], Y[:1], None, "there is only one example"),
        (line, X[:1], Y[:1], "all", "there is only one example"),
        (line, X, Y, 5, "found 5 of 4 examples"),
        (line, X, Y, 1, "must be a whole number from 2 on"),
        (line, X, Y, "some", "must be a whole number from 2 on"),
        (line, X, Y, True, "must be a whole number from 2 on"),
        (line, X, Y[:3], None, "every array must have as many"),
        (line, X * 1e30, Y, None, "a gradient is not finite"),
        (line, tf.data.Dataset.from_tensors((X, Y)), None, None, "found a tf.data.Dataset"),
    ],
)
def test_what_cannot_be_measured(model: Any, x: Any, y: Any, examples: Any, told: str) -> None:
    """It says why, and what would do."""
    with pytest.raises(kb.SpecError, match=told):
        kb.gradient_noise(model(), x, y, examples=examples)


def test_a_model_that_is_not_compiled_is_told_so_by_keras() -> None:
    """In Keras' own words."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="You must call `compile"):
        kb.gradient_noise(model, X, Y)


def test_a_model_without_weights_yet_gets_them() -> None:
    """As in its first fit."""
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert kb.gradient_noise(model, X, Y).examples == 4
    assert model.built
