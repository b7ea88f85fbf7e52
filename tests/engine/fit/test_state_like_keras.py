"""What a `fit` leaves behind: trained weights, built layers, slots and generators, as in Keras."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasbatch as kb

X = np.random.RandomState(0).rand(96, 3).astype("float32")
Y = X.sum(1)
FITS: tuple[Callable[..., Any], ...] = (keras.Model.fit, kb.fit)


class Generative(keras.Model):
    """A model with a step and optimizers of its own; without `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.own = keras.layers.Dense(4), keras.optimizers.Adam()

    def train_step(self, x: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.dense(x) ** 2)
        weights = self.dense.trainable_weights
        self.own.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@pytest.mark.parametrize(
    "steps",
    [
        ("fit", False, "fit"),
        (False, "fit", True, "fit"),
        ("fit", False, "compile", "fit"),
        ("fit", False, "other size", "fit"),
    ],
)
def test_trainable_counts_when_a_model_is_compiled(steps: tuple[Any, ...]) -> None:
    """A flag that changes between two fits has no effect before the next `compile`."""
    trained = []
    for fit in FITS:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        size = 8
        for step in steps:
            if step == "fit":
                fit(model, X, Y, batch_size=size, shuffle=False, verbose=0)
            elif step == "compile":
                model.compile("sgd", "mse")
            elif step == "other size":
                size = 6
            else:
                model.layers[0].trainable = step
        trained.append([weight.sum() for weight in model.get_weights()])
    assert trained[1] == pytest.approx(trained[0], rel=1e-4)


def test_flags_are_those_of_the_user_afterwards() -> None:
    """The flags of the first trace are restored for the trace only."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    kb.fit(model, X, Y, batch_size=8, verbose=0)
    model.layers[0].trainable = False
    kb.fit(model, X, Y, batch_size=6, verbose=0, jit_compile=False)
    assert [layer.trainable for layer in model.layers] == [False, True]
    assert len(model.trainable_weights) == 2


def test_a_model_without_call_stays_unbuilt() -> None:
    """Without a warning, and without slots in an optimizer that its step does not use."""
    for fit in FITS:
        model = Generative()
        model.compile()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(2):
                fit(model, X, batch_size=8, verbose=0)
        assert not model.built
        assert not model.optimizer.built
        assert len(model.own.variables) == 6
        assert int(model.own.iterations) == 24


@pytest.mark.parametrize("shuffle", [True, False])
def test_no_number_is_drawn_from_numpys_generator(shuffle: bool) -> None:
    """What a script draws afterwards is the same; the order still follows the seed of Keras."""
    drawn, seeds = [], []
    for fit in FITS:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        for _ in range(2):
            history = fit(model, X, Y, batch_size=8, shuffle=shuffle, verbose=0)
            if fit is kb.fit:
                seeds.append(history.kerasbatch.seed)
        drawn.append(np.random.rand())
    assert drawn[0] == drawn[1]
    assert len(set(seeds)) == 2
