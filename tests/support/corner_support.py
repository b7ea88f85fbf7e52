"""Trains a model by `kerasbatch.fit` and one by `model.fit`, and compares them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import kerasbatch as kb

L = keras.layers


RANDOM = np.random.RandomState(5)


N = 110


TABLE = RANDOM.normal(size=(N, 6)).astype(np.float32)


SEQUENCES = RANDOM.normal(size=(N, 7, 3)).astype(np.float32)


CLASSES = RANDOM.randint(0, 4, size=N)


WEIGHTS = RANDOM.uniform(0.5, 2.0, size=N).astype(np.float32)


SPARSE = "sparse_categorical_crossentropy"


def dense() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), L.Dense(8, "relu"), L.Dense(4, "softmax")])


def compiled(make: Callable[[], keras.Model] = dense, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(2)
    model = make()
    model.compile(**{"optimizer": "adam", "loss": SPARSE, "metrics": ["accuracy"]} | options)
    return model


def both(
    make: Callable[[], keras.Model], x: Any, y: Any = None, **options: Any
) -> tuple[keras.Model, keras.Model]:
    """Train one model by each, compare weights and histories, and return the two."""
    settings = {key: options.pop(key) for key in ("optimizer", "loss", "metrics") if key in options}
    fused, plain = compiled(make, **settings), compiled(make, **settings)
    fixed = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0} | options
    mine = kb.fit(fused, x, y, **fixed)
    theirs = plain.fit(x, y, **fixed)
    assert mine.kerasbatch.engine == "fused"
    assert list(mine.history) == list(theirs.history)
    for name in mine.history:
        np.testing.assert_allclose(mine.history[name], theirs.history[name], rtol=1e-4, atol=1e-6)
    for first, second in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5, err_msg=first.path)
    return fused, plain
