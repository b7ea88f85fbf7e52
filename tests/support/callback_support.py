"""A small model for the tests of the callbacks."""

from typing import Any

import keras
import numpy as np

X = np.linspace(-1, 1, 50, dtype=np.float32).reshape(50, 1)


Y = 2 * X


def compiled(model: keras.Model, **options: Any) -> keras.Model:
    model.compile(keras.optimizers.SGD(0.1, **options.pop("sgd", {})), "mse", **options)
    return model


def line() -> keras.Sequential:
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
