"""Random numbers under XLA: those of plain TensorFlow."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering import random_numbers
from kerasbatch.engine.tensorflow.lowering.backend import lowered

SEEDS = [(0, 0), (1, 2), (2**31 - 3, 7), (2**31 - 1, 2**31 - 1)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 3, 4), (1000,)])
def test_uniform_numbers_are_bit_by_bit_those_of_tensorflow(seed: Any, shape: Any) -> None:
    pair = tf.constant(seed, tf.int32)
    expected = tf.random.stateless_uniform(shape, pair)
    drawn = tf.function(lambda: random_numbers.uniform(pair, shape), jit_compile=True)()
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (1000,)])
def test_normal_numbers_are_those_of_tensorflow(seed: Any, shape: Any) -> None:
    pair = tf.constant(seed, tf.int32)
    expected = tf.random.stateless_normal(shape, pair)
    drawn = tf.function(lambda: random_numbers.normal(pair, shape), jit_compile=True)()
    np.testing.assert_allclose(drawn, expected, rtol=2e-5, atol=2e-6)


LAYERS = {
    "dropout": lambda: keras.layers.Dropout(0.3),
    "shared_dropout": lambda: keras.layers.Dropout(0.3, noise_shape=(None, 1, 4)),
    "spatial_dropout": lambda: keras.layers.SpatialDropout1D(0.5),
    "noise": lambda: keras.layers.GaussianNoise(0.1),
    "gaussian_dropout": lambda: keras.layers.GaussianDropout(0.2),
    "alpha_dropout": lambda: keras.layers.AlphaDropout(0.2),
}


@pytest.mark.parametrize("name", list(LAYERS))
def test_layers_draw_the_numbers_of_plain_keras(name: str) -> None:
    """Two calls, because each advances the seed."""
    layer = LAYERS[name]()
    x = tf.ones((6, 5, 4))
    seeds = [variable for variable in layer.variables if "seed" in variable.path]
    states = [np.array(variable) for variable in seeds]
    expected = [np.asarray(layer(x, training=True)) for _ in range(2)]
    for variable, state in zip(seeds, states, strict=True):
        variable.assign(state)

    @tf.function(jit_compile=True, autograph=False)
    def step() -> Any:
        with lowered(with_convolutions=False) as native:
            outputs = layer(x, training=True)
        assert native == []
        return outputs

    assert seeds
    for one in expected:
        np.testing.assert_allclose(step(), one, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_lowered_draws_its_seed_once() -> None:
    """Numbers of another type, a length of run time."""
    expected = keras.random.SeedGenerator(3)
    keras.random.uniform((4,), dtype="float16", seed=expected)
    seed = keras.random.SeedGenerator(3)
    with lowered(with_convolutions=False) as native:
        keras.random.uniform((4,), dtype="float16", seed=seed)
    assert native == ["uniform: the random numbers are not of type float32"]
    np.testing.assert_array_equal(seed.state, expected.state)
