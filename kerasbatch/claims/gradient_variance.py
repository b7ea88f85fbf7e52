"""The variance of a batch's gradient around that of all examples: the noise of the notes.

Exact law of sampling: E|g_b - G|^2 = tr(Sigma) / b for draws with replacement, times
(m - b) / (m - 1) for batches of one pass, where tr(Sigma) is the mean of |g_i - G|^2 over all m
examples.
"""

import functools
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
        model: the model; its loss is differentiated without penalties.
        x: the inputs of the model, shape (m, ...).
        y: labels or numbers, shape (m,).
    """

    model: keras.Model
    x: Array
    y: Array

    def of(self, indices: Array) -> Array:
        """Return the gradient over the examples at some indices, as one vector."""
        x, y = (tf.convert_to_tensor(array[indices]) for array in (self.x, self.y))
        parts = self._compiled(x, y)
        return np.concatenate([np.ravel(part).astype(np.float64) for part in parts])

    @functools.cached_property
    def _compiled(self) -> Any:
        """The gradient as a compiled function, traced once for every shape of a batch."""

        @tf.function  # type: ignore[untyped-decorator]
        def gradients(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self.model.compute_loss(x, y, self.model(x, training=False))
            return tape.gradient(loss, self.model.trainable_variables)

        return gradients

    def trace(self) -> float:
        """Return tr(Sigma): the mean of |g_i - G|^2 over all examples."""
        indices = range(len(self.x))
        mean = self.of(np.arange(len(self.x)))
        return float(np.mean([_squared_norm(self.of(np.array([i])) - mean) for i in indices]))

    def variance(self, size: int, sampling: Sampling, batches: int) -> "Variance":
        """Return the mean of |g_b - G|^2 over a number of seeded batches."""
        m = len(self.x)
        mean, deviations, epoch = self.of(np.arange(m)), list[float](), 0
        while len(deviations) < batches:
            epoch += 1
            order = example_order(m, seed=0, epoch=epoch, sampling=sampling)
            starts = range(0, m - size + 1, size)
            deviations += [
                _squared_norm(self.of(order[start : start + size]) - mean) for start in starts
            ]
        taken = np.array(deviations[:batches])
        return Variance(float(taken.mean()), float(taken.std(ddof=1) / np.sqrt(len(taken))))


@dataclass(frozen=True)
class Variance:
    """A variance that was measured.

    Args:
        mean: the mean of |g_b - G|^2.
        error: its standard error, if the batches were independent; those of one pass vary less.
    """

    mean: float
    error: float

    @property
    def low(self) -> float:
        """Three standard errors below the mean, at least 0."""
        return max(self.mean - 3 * self.error, 0.0)

    @property
    def high(self) -> float:
        """Three standard errors above the mean."""
        return self.mean + 3 * self.error


def variance_law(trace: float, size: int, m: int, sampling: Sampling) -> float:
    """Return the variance of a batch's gradient by the exact law."""
    correction = (m - size) / (m - 1) if sampling == "shuffle" else 1.0
    return trace / size * correction


def _squared_norm(vector: Any) -> float:
    return float(vector @ vector)
