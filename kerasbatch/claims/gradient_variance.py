"""How far the gradient of a batch lies from that of all examples: what the notes call noise.

Exact law (SCIENCE of sampling): E|g_b - G|^2 = tr(Sigma) / b for draws with replacement, times
(m - b) / (m - 1) for batches of one pass, where tr(Sigma) is the mean of |g_i - G|^2 over all m
examples.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.sampling import example_order
from kerasbatch.types import Array, Sampling


@dataclass(frozen=True)
class Gradients:
    """Gradients of a compiled model at its present weights.

    Args:
        model: the model; its loss without penalties is what is differentiated.
        x: examples as the model gets them, shape (m, ...).
        y: labels or numbers, shape (m,).
    """

    model: keras.Model
    x: Array
    y: Array

    def of(self, chosen: Array) -> Array:
        """Return the gradient over some examples, as one vector."""
        with tf.GradientTape() as tape:
            outputs = self.model(self.x[chosen], training=False)
            loss = self.model.compute_loss(self.x[chosen], self.y[chosen], outputs)
        found = tape.gradient(loss, self.model.trainable_variables)
        return np.concatenate([np.ravel(part).astype(np.float64) for part in found])

    def trace(self) -> float:
        """Return tr(Sigma): the mean of |g_i - G|^2 over all examples."""
        every = range(len(self.x))
        whole = self.of(np.arange(len(self.x)))
        return float(np.mean([_squared(self.of(np.array([i])) - whole) for i in every]))

    def variance(self, size: int, sampling: Sampling, batches: int) -> float:
        """Return the mean of |g_b - G|^2 over so many batches, seeded."""
        m = len(self.x)
        whole, found, epoch = self.of(np.arange(m)), list[float](), 0
        while len(found) < batches:
            epoch += 1
            order = example_order(m, seed=0, epoch=epoch, sampling=sampling)
            starts = range(0, m - size + 1, size)
            found += [_squared(self.of(order[at : at + size]) - whole) for at in starts]
        return float(np.mean(found[:batches]))


def variance_law(trace: float, size: int, m: int, sampling: Sampling) -> float:
    """Return the variance of a batch's gradient by the exact law."""
    left = (m - size) / (m - 1) if sampling == "shuffle" else 1.0
    return trace / size * left


def _squared(vector: Any) -> float:
    return float(vector @ vector)
