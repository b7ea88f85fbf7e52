"""Twenty models, ten with a training step of their own: `kerasbatch.fit` against `model.fit`.

    python benchmarks/twenty_models.py [NAME ...]

The first call compiles; the second one uses what the first compiled. Each is timed in a new model,
round by round in turn; the ratios are medians of Keras' time over ours (above 1, ours is faster).
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import kerasbatch as kb

L, RANDOM = keras.layers, np.random.RandomState(0)
SPARSE = "sparse_categorical_crossentropy"
ROUNDS = 3
Case = tuple[keras.Model, tuple[Any, ...], dict[str, Any]]


def floats(*shape: int) -> Any:
    """Return random numbers."""
    return RANDOM.normal(size=shape).astype("float32")


def classes(n: int, count: int) -> Any:
    """Return random labels."""
    return RANDOM.randint(0, count, n)


def words(n: int, length: int, count: int = 2000) -> Any:
    """Return random sequences of words; 0 is padding."""
    tokens = RANDOM.randint(1, count, (n, length))
    tokens[np.arange(length)[None] >= RANDOM.randint(length // 3, length + 1, n)[:, None]] = 0
    return tokens


def sequential(shape: tuple[int, ...], *layers: Any, **options: Any) -> keras.Model:
    """Return a compiled Sequential."""
    model = keras.Sequential([keras.Input(shape), *layers])
    model.compile("adam", **({"loss": SPARSE, "metrics": ["accuracy"]} | options))
    return model


def table() -> Case:
    """A table of 20 columns."""
    layers = L.Dense(64, "relu"), L.Dropout(0.3), L.Dense(32, "relu"), L.Dense(3, "softmax")
    return sequential((20,), *layers), (floats(4000, 20), classes(4000, 3)), {"batch_size": 32}


def two_inputs() -> Case:
    """A wide and a deep part."""
    wide, deep = keras.Input((8,)), keras.Input((12,))
    hidden = L.Dense(30, "relu")(L.Dense(30, "relu")(deep))
    model = keras.Model([wide, deep], L.Dense(1)(L.Concatenate()([wide, hidden])))
    model.compile("sgd", "mse", metrics=["mae"])
    return model, ([floats(4000, 8), floats(4000, 12)], floats(4000, 1)), {"batch_size": 32}


def bag_of_words() -> Case:
    """Averaged embeddings."""
    layers = L.Embedding(2000, 16), L.GlobalAveragePooling1D(), L.Dense(1, "sigmoid")
    model = sequential((80,), *layers, loss="binary_crossentropy")
    return model, (words(4000, 80), classes(4000, 2)), {"batch_size": 32}


def text_convolution() -> Case:
    """Convolutions over words."""
    layers = L.Embedding(2000, 32), L.Conv1D(32, 7, strides=3, activation="relu")
    rest = L.GlobalMaxPooling1D(), L.Dense(32, "relu"), L.Dense(1, "sigmoid")
    model = sequential((80,), *layers, *rest, loss="binary_crossentropy")
    return model, (words(1500, 80), classes(1500, 2)), {"batch_size": 32}


def lstm() -> Case:
    """Windows of a time series."""
    model = sequential((24, 6), L.LSTM(32), L.Dense(1), loss="mse", metrics=[])
    return model, (floats(2000, 24, 6), floats(2000, 1)), {"batch_size": 64}


def bidirectional() -> Case:
    """A recurrent network in both directions, over words."""
    layers = (
        L.Embedding(2000, 16, mask_zero=True),
        L.Bidirectional(L.GRU(16)),
        L.Dense(4, "softmax"),
    )
    return sequential((30,), *layers), (words(1000, 30), classes(1000, 4)), {"batch_size": 32}


def convnet() -> Case:
    """Digits as images."""
    layers = (
        L.Conv2D(16, 3, activation="relu"),
        L.MaxPooling2D(),
        L.Conv2D(32, 3, activation="relu"),
    )
    rest = L.MaxPooling2D(), L.Flatten(), L.Dropout(0.5), L.Dense(10, "softmax")
    data = floats(2000, 28, 28, 1), classes(2000, 10)
    return sequential((28, 28, 1), *layers, *rest), data, {"batch_size": 64}


def residual() -> Case:
    """A small residual network."""
    inputs = keras.Input((32, 32, 3))
    hidden = L.Conv2D(16, 3, padding="same")(inputs)
    for _ in range(2):
        inner = L.Conv2D(16, 3, padding="same")(L.ReLU()(L.BatchNormalization()(hidden)))
        hidden = L.Add()([hidden, inner])
    model = keras.Model(inputs, L.Dense(10, "softmax")(L.GlobalAveragePooling2D()(hidden)))
    model.compile("adam", SPARSE, metrics=["accuracy"])
    return model, (floats(600, 32, 32, 3), classes(600, 10)), {"batch_size": 32}


def autoencoder() -> Case:
    """A dense autoencoder."""
    x = RANDOM.rand(4000, 196).astype("float32")
    layers = L.Dense(64, "relu"), L.Dense(16, "relu"), L.Dense(64, "relu"), L.Dense(196, "sigmoid")
    model = sequential((196,), *layers, loss="binary_crossentropy", metrics=[])
    return model, (x, x), {"batch_size": 128}


def transformer() -> Case:
    """A transformer block over words."""
    inputs = keras.Input((40,))
    hidden = L.Embedding(2000, 32)(inputs)
    attended = L.MultiHeadAttention(2, 16)(hidden, hidden)
    hidden = L.LayerNormalization()(L.Add()([hidden, L.Dropout(0.1)(attended)]))
    hidden = L.LayerNormalization()(L.Add()([hidden, L.Dense(32)(L.Dense(32, "relu")(hidden))]))
    model = keras.Model(inputs, L.Dense(2, "softmax")(L.GlobalAveragePooling1D()(hidden)))
    model.compile("adam", SPARSE, metrics=["accuracy"])
    return model, (words(1500, 40), classes(1500, 2)), {"batch_size": 32}


class Own(keras.Model):
    """A model whose step minimises the result of `loss_of`; it has no `call`."""

    def __init__(self, net: Any, loss_of: Callable[..., Any]) -> None:
        super().__init__()
        self.net, self.loss_of = net, loss_of
        self.tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self.loss_of(self.net, data)
        weights = self.net.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


def dense(*units: int, inputs: int, last: str | None = None) -> keras.Model:
    """Return an MLP."""
    hidden = [L.Dense(count, "relu") for count in units[:-1]]
    return keras.Sequential([keras.Input((inputs,)), *hidden, L.Dense(units[-1], last)])


def own(net: Any, loss_of: Callable[..., Any]) -> keras.Model:
    """Return a compiled model with a step of its own."""
    model = Own(net, loss_of)
    model.compile("adam")
    return model


def gan() -> Case:
    """Two networks and two optimizers."""

    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.critic = dense(64, 32, 1, inputs=64)
            self.generator = dense(32, 64, 64, inputs=16, last="tanh")
            self.noise = keras.random.SeedGenerator(1)
            self.tracker = keras.metrics.Mean(name="critic_loss")

        def compile(self, first: Any, second: Any) -> None:
            super().compile()
            self.first, self.second = first, second

        def train_step(self, real: Any) -> dict[str, Any]:
            count = tf.shape(real)[0]
            cross = keras.losses.BinaryCrossentropy(from_logits=True)
            fake = self.generator(keras.random.normal((count, 16), seed=self.noise))
            labels = tf.concat([tf.ones((count, 1)), tf.zeros((count, 1))], 0)
            with tf.GradientTape() as tape:
                loss = cross(labels, self.critic(tf.concat([fake, real], 0)))
            weights = self.critic.trainable_weights
            self.first.apply(tape.gradient(loss, weights), weights)
            noise = keras.random.normal((count, 16), seed=self.noise)
            with tf.GradientTape() as tape:
                wrong = cross(tf.zeros((count, 1)), self.critic(self.generator(noise)))
            weights = self.generator.trainable_weights
            self.second.apply(tape.gradient(wrong, weights), weights)
            self.tracker.update_state(loss)
            return {"critic_loss": self.tracker.result()}

    model = Gan()
    model.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4))
    return model, (floats(4000, 64),), {"batch_size": 64}


def variational() -> Case:
    """A variational autoencoder."""
    encoder, decoder = dense(64, 8, inputs=64), dense(64, 64, inputs=4)
    net, noise = keras.Sequential([encoder]), keras.random.SeedGenerator(1)
    net.decoder = decoder

    def loss_of(net: Any, x: Any) -> Any:
        mean, log_variance = tf.split(encoder(x), 2, axis=1)
        draw = keras.random.normal(tf.shape(mean), seed=noise)
        rebuilt = decoder(mean + tf.exp(0.5 * log_variance) * draw)
        divergence = -0.5 * (1 + log_variance - mean**2 - tf.exp(log_variance))
        return tf.reduce_mean((rebuilt - x) ** 2) + 1e-3 * tf.reduce_mean(divergence)

    return own(net, loss_of), (floats(4000, 64),), {"batch_size": 64}


def diffusion() -> Case:
    """A denoising network, over a dataset of batches."""
    net = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            *[L.Conv2D(16, 3, padding="same", activation="relu") for _ in range(3)],
            L.Conv2D(1, 3, padding="same"),
        ]
    )
    noise = keras.random.SeedGenerator(1)

    def loss_of(net: Any, images: Any) -> Any:
        times = keras.random.uniform((tf.shape(images)[0], 1, 1, 1), seed=noise)
        noises = keras.random.normal(tf.shape(images), seed=noise)
        angles = 0.1 + times * 1.4
        return tf.reduce_mean(
            tf.abs(noises - net(tf.cos(angles) * images + tf.sin(angles) * noises))
        )

    batches = tf.data.Dataset.from_tensor_slices(floats(1000, 16, 16, 1)).batch(64)
    return own(net, loss_of), (batches,), {}


def siamese() -> Case:
    """Triplets through one network."""

    def loss_of(net: Any, triplets: Any) -> Any:
        anchor, near, far = (net(part) for part in triplets)
        gap = tf.reduce_sum((anchor - near) ** 2, 1) - tf.reduce_sum((anchor - far) ** 2, 1)
        return tf.reduce_mean(tf.maximum(gap + 0.5, 0.0))

    parts = tuple(floats(1000, 24, 24, 1) for _ in range(3))
    batches = tf.data.Dataset.from_tensor_slices(parts).batch(32)
    net = keras.Sequential(
        [
            keras.Input((24, 24, 1)),
            L.Conv2D(16, 3, strides=2, activation="relu"),
            L.Flatten(),
            L.Dense(32),
        ]
    )
    return own(net, loss_of), (batches,), {}


def distillation() -> Case:
    """A student that learns from a teacher."""
    teacher, student = dense(128, 128, 10, inputs=32), dense(16, 10, inputs=32)

    def loss_of(net: Any, data: Any) -> Any:
        x, y = data
        soft = tf.nn.softmax(teacher(x, training=False) / 3.0)
        logits = net(x, training=True)
        hard = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return tf.reduce_mean(hard + keras.losses.kl_divergence(soft, tf.nn.softmax(logits / 3.0)))

    return own(student, loss_of), (floats(4000, 32), classes(4000, 10)), {"batch_size": 64}


def two_passes() -> Case:
    """Sharpness-aware minimisation: a second gradient at moved weights."""

    class TwoPasses(keras.Sequential):
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
            weights = self.trainable_weights
            moves = [0.05 * g / (tf.norm(g) + 1e-9) for g in tape.gradient(loss, weights)]
            for weight, move in zip(weights, moves, strict=True):
                weight.assign_add(move)
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
            gradients = tape.gradient(loss, weights)
            for weight, move in zip(weights, moves, strict=True):
                weight.assign_sub(move)
            self.optimizer.apply(gradients, weights)
            return self.compute_metrics(x, y, self(x), None)

    model = TwoPasses([keras.Input((20,)), L.Dense(32, "relu"), L.Dense(3, "softmax")])
    model.compile("sgd", SPARSE, metrics=["accuracy"])
    return model, (floats(4000, 20), classes(4000, 3)), {"batch_size": 32}


def weighted_step() -> Case:
    """Keras' step with another loss."""

    class Weighted(keras.Sequential):
        def compute_loss(self, x: Any, y: Any, y_pred: Any, *rest: Any, **named: Any) -> Any:
            loss = super().compute_loss(x, y, y_pred, *rest, **named)
            return loss + 0.01 * tf.reduce_mean(y_pred**2)

    model = Weighted([keras.Input((20,)), L.Dense(32, "relu"), L.Dense(1)])
    model.compile("adam", "mse")
    return model, (floats(4000, 20), floats(4000, 1)), {"batch_size": 32}


def tokens() -> Case:
    """A label for every word, over padded batches, with a masked loss."""
    net = keras.Sequential([keras.Input((None,)), L.Embedding(2000, 32), L.Dense(32, "relu")])
    net.add(L.Dense(5))

    def loss_of(net: Any, data: Any) -> Any:
        x, y = data
        each = keras.losses.sparse_categorical_crossentropy(y, net(x), from_logits=True)
        mask = tf.cast(x > 0, each.dtype)
        return tf.reduce_sum(each * mask) / tf.reduce_sum(mask)

    lengths = RANDOM.randint(5, 40, 1200)
    rows = [words(1, length)[0] for length in lengths]

    def pairs() -> Any:
        for row in rows:
            yield row, row % 5

    spec = tf.TensorSpec((None,), tf.int64)
    batches = tf.data.Dataset.from_generator(pairs, output_signature=(spec, spec)).cache()
    padded = batches.padded_batch(32).apply(tf.data.experimental.assert_cardinality(38))
    return own(net, loss_of), (padded,), {}


def denoising() -> Case:
    """An autoencoder with noise on its inputs."""
    noise = keras.random.SeedGenerator(1)

    def loss_of(net: Any, x: Any) -> Any:
        noisy = x + 0.1 * keras.random.normal(tf.shape(x), seed=noise)
        return tf.reduce_mean((net(noisy) - x) ** 2)

    net = dense(64, 16, 64, 100, inputs=100)
    return own(net, loss_of), (floats(4000, 100),), {"batch_size": 64}


def penalty() -> Case:
    """A critic with a penalty on its gradient."""

    def loss_of(net: Any, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = net(x)
        slope = tf.norm(tape.gradient(score, x), axis=1)
        return tf.reduce_mean((score - y) ** 2) + 0.1 * tf.reduce_mean((slope - 1) ** 2)

    return (
        own(dense(64, 64, 1, inputs=16), loss_of),
        (floats(4000, 16), floats(4000, 1)),
        {"batch_size": 64},
    )


CASES = (
    table, two_inputs, bag_of_words, text_convolution, lstm, bidirectional, convnet, residual,
    autoencoder, transformer, gan, variational, diffusion, siamese, distillation, two_passes,
    weighted_step, tokens, denoising, penalty,
)  # fmt: skip


def times(make: Callable[[], Case], fit: Callable[..., Any]) -> tuple[float, float, Any]:
    """Return the seconds of the first and of the second call, and our report."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model, data, options = make()
    seconds, report = [], None
    for _ in range(2):
        begin = time.perf_counter()
        history = fit(model, *data, epochs=2, verbose=0, **options)
        seconds.append(time.perf_counter() - begin)
        report = getattr(history, "kerasbatch", None)
    return seconds[0], seconds[1], report


def measure(make: Callable[[], Case]) -> None:
    """Print one line for a model."""
    plain, ours = [], []
    for _ in range(ROUNDS):
        plain.append(times(make, keras.Model.fit))
        ours.append(times(make, kb.fit))
    first, second = (
        statistics.median(a[call] / b[call] for a, b in zip(plain, ours, strict=True))
        for call in (0, 1)
    )
    seconds = [
        statistics.median(row[call] for row in rows) for call in (0, 1) for rows in (plain, ours)
    ]
    shown = "  ".join(f"{value:6.2f}" for value in seconds)
    print(f"{make.__name__:17} {shown}  {first:6.2f}  {second:6.2f}  {ours[0][2].why}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    chosen = parser.parse_args().names
    print("                   first call, s    second call, s   Keras' time over ours")
    print("                    Keras    ours   Keras    ours   first  second")
    for case in CASES:
        if not chosen or case.__name__ in chosen:
            measure(case)
