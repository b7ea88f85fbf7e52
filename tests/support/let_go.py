"""Trains models and prints which of them, or of their weights, are kept afterwards.

It is a program of its own: in the process of the tests, another thread may be collecting garbage,
and `gc.collect` then does nothing.
"""

import gc
import sys
import weakref
from typing import Any

import keras
import numpy as np

import kerasbatch as kb

L = keras.layers
RANDOM = np.random.RandomState(5)
TABLE = RANDOM.normal(size=(110, 6)).astype(np.float32)
CLASSES = RANDOM.randint(0, 4, size=110)
SPARSE = keras.losses.sparse_categorical_crossentropy


def _model() -> keras.Model:
    layers = [L.Dense(8, "relu"), L.BatchNormalization(), L.Dropout(0.2), L.Dense(4, "softmax")]
    return keras.Sequential([keras.Input((6,)), *layers])


def _with_its_own_loss() -> keras.Model:
    model = _model()
    model.compile("sgd", lambda y, out: SPARSE(y, out) + 0 * keras.ops.sum(model.layers[0].kernel))
    return model


def _with_a_loss_of_keras() -> keras.Model:
    model = _model()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _kept(make: Any) -> list[str]:
    model = make()
    kb.fit(model, TABLE, CLASSES, validation_split=0.1, epochs=3, verbose=0, engine="fused")
    value = weakref.ref(model.layers[0].kernel.value)
    gone = {"model": weakref.ref(model), "weights": value}
    del model
    gc.collect()
    if make is _with_its_own_loss:  # Keras' own wrapper of a loss is kept until then
        keras.backend.clear_session()
        gc.collect()
    return [f"{name} {make.__name__}" for name, part in gone.items() if part() is not None]


if __name__ == "__main__":
    sys.stdout.write(repr([*_kept(_with_a_loss_of_keras), *_kept(_with_its_own_loss)]))
