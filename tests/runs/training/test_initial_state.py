"""The initial state of a model that is drawn again is that of a model that is built anew."""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from kerasbatch.runs.training.initial_state import InitialState
from kerasbatch.spec.learning_rate import LearningRate

L = keras.layers
MODELS: dict[str, Callable[[], list[Any]]] = {
    "recurrent": lambda: [
        keras.Input((8, 8)),
        L.LSTM(4, return_sequences=True, dropout=0.1),
        L.Bidirectional(L.GRU(3)),
        L.Dense(3),
    ],
    "convolutional": lambda: [
        keras.Input((8, 8, 1)),
        L.Conv2D(4, 3),
        L.BatchNormalization(),
        L.SeparableConv2D(4, 3),
        L.DepthwiseConv2D(3, padding="same"),
        L.PReLU(),
        L.Conv2DTranspose(2, 3),
        L.Flatten(),
        L.Dropout(0.2),
        L.Dense(3, kernel_initializer="orthogonal"),
    ],
    "with a seed of its own": lambda: [
        keras.Input((5,)),
        L.Embedding(20, 4),
        L.GaussianNoise(0.1),
        L.GlobalAveragePooling1D(),
        L.Dense(3, kernel_initializer=keras.initializers.HeNormal(seed=4)),
        L.Dense(2, kernel_initializer="lecun_uniform", bias_initializer="random_normal"),
    ],
}


def built(name: str, seed: int, rate: float) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(MODELS[name]())
    model.compile(keras.optimizers.Adagrad(rate), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def assert_same_state(one: keras.Model, other: keras.Model) -> None:
    pairs = zip(
        [*one.variables, *one.optimizer.variables],
        [*other.variables, *other.optimizer.variables],
        strict=True,
    )
    for variable, expected in pairs:
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(expected))


@pytest.mark.parametrize("name", MODELS)
def test_other_seeds_and_rates(name: str) -> None:
    """Weights, states of random layers, the optimizer, and what Python draws afterwards."""
    model = built(name, 1, 0.1)
    state = InitialState(model, 1)
    assert (state.knows(1), state.knows(2)) == (True, False)
    state.verify(built(name, 2, 0.2), 2)
    assert state.knows(3)
    expected, after = built(name, 3, 0.3), random.random()  # noqa: S311
    for variable in [*model.variables, *model.optimizer.variables]:
        variable.assign(variable + 1)
    state.restore(model, 3, LearningRate(0.3, 0.3, {}))
    assert random.random() == after  # noqa: S311
    assert_same_state(model, expected)
    state.restore(model, 1, LearningRate(0.1, 0.1, {}))
    assert_same_state(model, built(name, 1, 0.1))


def test_weights_that_are_drawn_otherwise() -> None:
    """A second seed shows it, and such models are built anew."""

    class Own(keras.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return keras.ops.full(shape, random.random(), dtype)  # noqa: S311

    def own(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((3,)), L.Dense(2, kernel_initializer=Own())])
        model.compile("sgd", "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    state = InitialState(own(1), 1)
    state.verify(own(2), 2)
    assert not state.knows(3)


def test_a_large_model_is_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of its state would take too much memory."""
    monkeypatch.setattr("kerasbatch.runs.training.initial_state.MAX_KEPT_BYTES", 100)
    state = InitialState(built("recurrent", 1, 0.1), 1)
    state.verify(built("recurrent", 2, 0.1), 2)
    assert not state.knows(1)
