"""Training steps, logs and optimizers that are not Keras' usual ones."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from corner_support import (
    CLASSES,
    SEQUENCES,
    TABLE,
    L,
    both,
    compiled,
)

import kerasbatch as kb


class Autoencoder(keras.Model):
    """Its train_step takes what Keras gives where there is no y: x itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = L.Dense(6)

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(data) - data) ** 2)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "rows": tf.cast(tf.shape(data)[0], tf.float32)}


class Inner(keras.Model):
    """Its train_step updates the weights several times, in a loop of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.out = L.Dense(4, "softmax")

    def call(self, inputs: Any) -> Any:
        return self.out(inputs)

    def train_step(self, data: Any) -> Any:
        x, y = data

        def update(i: Any, _: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return i + 1, loss

        _, loss = tf.while_loop(lambda i, _: i < 5, update, (0, 0.0))
        return {"loss": loss}


class MoreMetrics(keras.Sequential):
    """Adds to the logs where Keras' documentation says to."""

    def compute_metrics(self, *arguments: Any, **options: Any) -> Any:
        return super().compute_metrics(*arguments, **options) | {"extra": tf.constant(7.0)}


def recurrent(*layers: keras.layers.Layer) -> Callable[[], keras.Model]:
    configs = [(type(layer), layer.get_config()) for layer in layers]

    def make() -> keras.Model:
        fresh = [kind.from_config(config) for kind, config in configs]
        return keras.Sequential([keras.Input((7, 3)), *fresh, L.Dense(4, "softmax")])

    return make


def test_without_y_a_step_gets_x_itself() -> None:
    both(Autoencoder, TABLE, loss=None, metrics=None)


def test_a_step_with_a_loop_of_its_own() -> None:
    """Weights that it writes are read again inside the loop."""
    both(Inner, TABLE, CLASSES, metrics=None, epochs=1)


def test_logs_of_compute_metrics_and_of_a_step_set_on_the_model() -> None:
    def more() -> keras.Model:
        return MoreMetrics([keras.Input((6,)), L.Dense(4, "softmax")])

    both(more, TABLE, CLASSES, validation_data=(TABLE[:30], CLASSES[:30]))
    model = compiled()
    step = model.train_step
    model.train_step = lambda data: step(data) | {"own": tf.constant(3.0)}
    history = kb.fit(model, TABLE, CLASSES, verbose=0)
    assert history.history["own"] == [3.0]


@pytest.mark.parametrize(
    "layers",
    [
        (L.LSTM(5, return_sequences=True), L.LSTM(4)),
        (L.Bidirectional(L.GRU(4)),),
        (L.Masking(0.0), L.LSTM(4)),
        (L.SimpleRNN(5, return_sequences=True), L.GlobalAveragePooling1D()),
    ],
    ids=["stacked", "bidirectional", "masked", "simple"],
)
@pytest.mark.slow
def test_recurrent_layers_under_xla(layers: Any) -> None:
    """Their weights are read before their loops."""
    sequences = np.where(np.arange(7)[None, :, None] < 5, SEQUENCES, 0.0).astype(np.float32)
    fused, plain = compiled(recurrent(*layers)), compiled(recurrent(*layers))
    kb.fit(fused, sequences, CLASSES, shuffle=False, verbose=0, jit_compile=True)
    plain.fit(sequences, CLASSES, shuffle=False, verbose=0)
    for first, second in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5, err_msg=first.path)


def test_an_optimizer_that_scales_the_loss_keeps_its_state() -> None:
    """Its build makes new variables every time that it is called."""

    def scaling() -> Any:
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=4.0)

    fused, plain = compiled(optimizer=scaling()), compiled(optimizer=scaling())
    for _ in range(2):
        kb.fit(fused, TABLE, CLASSES, batch_size=8, shuffle=False, verbose=0)
        plain.fit(TABLE, CLASSES, batch_size=8, shuffle=False, verbose=0)
    mine, theirs = fused.optimizer.variables, plain.optimizer.variables
    assert len(mine) == len(theirs)
    for first, second in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5, err_msg=first.path)
