"""Steps per second with Keras on JAX: plain `fit`, `kerasbatch.fit`, and a loop by hand.

    KERAS_BACKEND=jax python benchmarks/on_jax.py [--rounds N]

The model has 784 inputs, 128 hidden units and 10 classes, and is trained by Adam on 60,000 random
examples. The ways are timed in turn, epoch by epoch; each cell is the median over the rounds,
without compilation, and without the first epoch of a fit, in which the data are moved.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax

import kerasbatch as kb

EXAMPLES = 60_000
STEPS = {1: 6_000, 16: 3_750, 128: 468, 1024: 58}
"""The steps of an epoch by batch size."""
EPOCHS = 3
RANDOM = np.random.RandomState(1)
X = RANDOM.rand(EXAMPLES, 784).astype(np.float32)
Y = RANDOM.randint(0, 10, EXAMPLES).astype(np.int32)


class EpochTimes(keras.callbacks.Callback):
    """Records the seconds of each epoch."""

    accepts_blocks = accepts_epochs = True

    def on_train_begin(self, logs: Any = None) -> None:
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def model() -> keras.Model:
    """Return a compiled model."""
    layers = [keras.layers.Dense(128, "relu"), keras.layers.Dense(10, "softmax")]
    made = keras.Sequential([keras.Input((784,)), *layers])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def by_fit(engine: str, size: int) -> Callable[[], float]:
    """Return a function that trains by an engine, and returns the seconds of the best epoch."""
    trained, n = model(), size * STEPS[size]
    times = EpochTimes()

    def train() -> float:
        options = {"epochs": EPOCHS, "verbose": 0, "callbacks": [times], "engine": engine}
        kb.fit(trained, X[:n], Y[:n], batch_size=size, seed=1, **options)
        return min(times.seconds[1:])

    train()
    return train


def by_hand(size: int) -> Callable[[], float]:
    """Return the same for a loop in JAX with an Adam of its own."""
    random = np.random.RandomState(2)
    shapes = [(784, 128), (128,), (128, 10), (10,)]
    weights = [jnp.asarray(random.normal(size=shape) * 0.05, jnp.float32) for shape in shapes]
    x, y = jnp.asarray(X), jnp.asarray(Y)

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        hidden = jax.nn.relu(x @ weights[0] + weights[1])
        outputs = jax.nn.log_softmax(hidden @ weights[2] + weights[3])
        return -jnp.mean(jnp.take_along_axis(outputs, y[:, None], axis=1))

    def adam(step: Any, weight: Any, gradient: Any, first: Any, second: Any) -> tuple[Any, ...]:
        first, second = first + 0.1 * (gradient - first), second + 0.001 * (gradient**2 - second)
        count = step.astype(jnp.float32) + 1
        rate = 0.001 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        return weight - rate * first / (jnp.sqrt(second) + 1e-7), first, second

    def epoch(state: Any, order: Any, steps: Any) -> Any:
        def body(loop: Any) -> Any:
            step, weights, firsts, seconds = loop
            chosen = order[step]
            gradients = jax.grad(loss_of)(weights, x[chosen], y[chosen])
            new = [
                adam(step, *each) for each in zip(weights, gradients, firsts, seconds, strict=True)
            ]
            return step + 1, *(list(part) for part in zip(*new, strict=True))

        return lax.while_loop(lambda loop: loop[0] < steps, body, state)

    compiled = jax.jit(epoch, donate_argnums=0)
    zeros = [[jnp.zeros_like(weight) for weight in weights] for _ in range(2)]
    state = [(jnp.int32(0), weights, *zeros)]
    steps = STEPS[size]

    def train() -> float:
        order = np.random.permutation(EXAMPLES)[: steps * size].reshape(steps, size)
        start = time.perf_counter()
        _, *rest = compiled(state[0], order.astype(np.int32), steps)
        state[0] = (jnp.int32(0), *rest)
        jax.block_until_ready(rest)
        return time.perf_counter() - start

    def best() -> float:
        return min(train() for _ in range(EPOCHS - 1))

    best()
    return best


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print("batch size   plain fit  kerasbatch.fit     by hand   against plain   against hand")
    for size, steps in STEPS.items():
        ways = [by_fit("keras", size), by_fit("fused", size), by_hand(size)]
        seconds: list[list[float]] = [[] for _ in ways]
        for _ in range(rounds):
            for way, times in zip(ways, seconds, strict=True):
                times.append(way())
        plain, fused, hand = (steps / statistics.median(times) for times in seconds)
        rates = f"{plain:12,.0f}{fused:16,.0f}{hand:12,.0f}"
        print(f"{size:10,}{rates}{fused / plain:16.2f}{fused / hand:15.2f}", flush=True)


if __name__ == "__main__":
    main()
