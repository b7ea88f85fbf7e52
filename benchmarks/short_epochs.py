"""Short epochs on digits: `kerasbatch.fit` against a loop by hand and plain `model.fit`.

    python benchmarks/short_epochs.py

All train the same network with Adam, without validation. The loop by hand compiles the full batches
of an epoch as one XLA program, and calls another one for the partial batch. Rounds are in turn; the
ratios are medians over them.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import kerasbatch as kb

ROUNDS = 5
DIGITS = load_digits()
X = (DIGITS.data[:1437] / 16).astype("float32")
Y = DIGITS.target[:1437]
HELD_OUT = (DIGITS.data[1437:] / 16).astype("float32"), DIGITS.target[1437:]


def network(features: int = 64, outputs: int = 10) -> keras.Model:
    """Return a compiled network."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(32, "relu"), keras.layers.Dense(outputs)]
    model = keras.Sequential([keras.Input((features,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss if outputs > 1 else "mse", metrics=["accuracy"][: outputs - 1])
    return model


def loop_by_hand(size: int) -> Callable[[int], None]:
    """Return a function that trains epochs by two programs that a user may write."""
    model = network()
    model.fit(X[:size], Y[:size], batch_size=size, verbose=0)  # builds it
    x, y, order = tf.constant(X), tf.constant(Y), np.random.RandomState(0)
    whole, rest = divmod(len(X), size)

    @tf.function(jit_compile=True, autograph=False)
    def full(rows: Any) -> None:
        def body(step: Any) -> Any:
            model.train_step((tf.gather(x, rows[step]), tf.gather(y, rows[step])))
            return step + 1

        tf.while_loop(lambda step: step < whole, body, [tf.constant(0)])

    @tf.function(autograph=False)
    def partial(row: Any) -> None:
        model.train_step((tf.gather(x, row), tf.gather(y, row)))

    def train(epochs: int) -> None:
        for _ in range(epochs):
            model.reset_metrics()
            chosen = order.permutation(len(X)).astype("int32")
            full(tf.constant(chosen[: whole * size].reshape(whole, size)))
            if rest:
                partial(tf.constant(chosen[whole * size :]))
            model.get_metrics_result()

    return train


def by_fit(fit: Callable[..., Any], size: int, **options: Any) -> Callable[[int], None]:
    """Return a function that trains epochs by a `fit`."""
    model = network()
    return lambda epochs: fit(model, X, Y, batch_size=size, epochs=epochs, verbose=0, **options)


def seconds(train: Callable[[int], Any], epochs: int) -> float:
    """Return the seconds of an epoch."""
    begin = time.perf_counter()
    train(epochs)
    return (time.perf_counter() - begin) / epochs


def compare(size: int, epochs: int) -> None:
    """Print the milliseconds of an epoch by hand, by us and by Keras."""
    loops = {
        "by hand": loop_by_hand(size),
        "kerasbatch.fit": by_fit(kb.fit, size),
        "with validation": by_fit(kb.fit, size, validation_data=HELD_OUT),
    }
    for train in loops.values():
        train(epochs)  # compiles
    plain = by_fit(keras.Model.fit, size)
    plain(2)
    rounds = [
        {name: seconds(train, epochs) for name, train in loops.items()} for _ in range(ROUNDS)
    ]
    plain_seconds = statistics.median(seconds(plain, 5) for _ in range(ROUNDS))
    steps = -(-len(X) // size)
    print(f"b = {size}, {steps} steps an epoch, medians of {ROUNDS} rounds of {epochs} epochs")
    for name in loops:
        median = statistics.median(row[name] for row in rounds)
        ratio = statistics.median(row["by hand"] / row[name] for row in rounds)
        print(f"  {name:16} {median * 1e3:7.2f} ms  {steps / median:9,.0f} steps/s  {ratio:5.2f}")
    print(
        f"  {'model.fit':16} {plain_seconds * 1e3:7.2f} ms  {steps / plain_seconds:9,.0f} steps/s"
    )


def full_batch(points: int = 200, epochs: int = 4000) -> None:
    """Print the seconds of a whole `fit` by full-batch gradient descent, compilation included."""
    x = np.linspace(-1, 1, points, dtype="float32")[:, None]
    model = network(1, 1)
    begin = time.perf_counter()
    history = kb.fit(model, x, 3 * x, batch_size="full", epochs=epochs, verbose=0)
    total = time.perf_counter() - begin
    compilation = history.kerasbatch.compile_seconds
    print(f"{points} points, {epochs:,} epochs of one step: {total:.1f} s")
    print(f"  of them, compilation: {compilation:.1f} s")


if __name__ == "__main__":
    compare(16, 250)
    compare(128, 1200)
    full_batch()
