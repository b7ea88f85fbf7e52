"""The same numbers as `model.fit`: bit for bit without XLA, up to rounding with it."""

import keras
import numpy as np
import pytest

import kerasbatch as kb

X = np.random.RandomState(0).rand(400, 20).astype("float32")
Y = (X[:, :5].argmax(axis=1)).astype("int64")


def trained(
    jit_compile: bool | None, optimizer: str, dropout: float
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Return a model trained by Keras for None, else by the fused engine, and its history."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(5, "softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0}
    options["validation_data"] = (X[:40], Y[:40])
    if jit_compile is None:
        return model, model.fit(X, Y, **options).history
    options |= {"engine": "fused", "jit_compile": jit_compile}
    return model, kb.fit(model, X, Y, **options).history


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adamw"])
def test_without_xla_bit_for_bit(optimizer: str) -> None:
    """Weights, optimizer, metrics, and the history of training and validation."""
    (theirs, expected), (mine, history) = (trained(jit, optimizer, 0.3) for jit in (None, False))
    assert history == expected
    for variables in ("weights", "metrics_variables"):
        for value, other in zip(getattr(mine, variables), getattr(theirs, variables), strict=True):
            np.testing.assert_array_equal(value, other)
    for value, other in zip(mine.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(value, other)


def test_with_xla_to_rounding() -> None:
    """Without dropout, whose masks may be others."""
    (theirs, expected), (mine, history) = (trained(jit, "sgd", 0.0) for jit in (None, True))
    for name, values in expected.items():
        assert history[name] == pytest.approx(values, rel=1e-4)
    for value, other in zip(mine.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-3, atol=1e-5)
