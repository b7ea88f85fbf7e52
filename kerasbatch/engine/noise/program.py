"""Gradients of small batches as one compiled program: sums of them by group, and their norms.

The loop holds one gradient and one sum for each group; nothing of the model changes.
"""

import weakref
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import tensorflow_private
from kerasbatch.engine.options import Arrays
from kerasbatch.types import Array

GroupSums = list[Array]
"""A sum of gradients for each group; for every weight an array of shape (groups, ...)."""


class NoiseProgram:
    """The compiled gradients of one compiled model.

    Args:
        model: a built, compiled model; held weakly, so that a cache of programs keeps no model.
        jit_compile: whether to compile with XLA.
        scale: what x is multiplied by on its way to the model, or None.
    """

    def __init__(self, model: keras.Model, *, jit_compile: bool, scale: float | None) -> None:
        self._model, self._scale = weakref.ref(model), scale
        self._sums = tf.function(self._loops, autograph=False, jit_compile=jit_compile)
        tensorflow_private.silence_retracing(self._sums)

    def sums(self, arrays: Arrays, indices: Array, counts: Array) -> tuple[GroupSums, Array]:
        """Add up the gradients of small batches, group by group.

        Args:
            arrays: the data on the device.
            indices: the examples of every small batch, shape (groups, batches, small batch).
            counts: how many of the batches of each group to use, shape (groups,).

        Returns:
            The sums of gradients, and of their squared norms, shape (groups,).
        """
        sums, squares = self._sums(arrays, tf.constant(indices, tf.int32), tf.constant(counts))
        return [part.numpy() for part in sums], squares.numpy().astype(np.float64)

    def _loops(self, arrays: Arrays, indices: Any, counts: Any) -> tuple[list[Any], Any]:
        """Trace a loop over groups, and in it one over their small batches."""
        groups, model = int(indices.shape[0]), self._model()
        if model is None:
            raise ReferenceError("the model of this program is gone")
        weights = [variable.value for variable in model.trainable_variables]
        zeros = [tf.zeros(weight.shape, tf.float32) for weight in weights]

        def batch(at: Any, group: Any, total: list[Any], squares: list[Any]) -> tuple[Any, ...]:
            found = self._gradient(model, arrays, indices[group, at], weights)
            total = [one + other for one, other in zip(total, found, strict=True)]
            squares = [one + tf.square(other) for one, other in zip(squares, found, strict=True)]
            return at + 1, group, total, squares

        def one(group: Any, sums: list[Any], norms: Any) -> tuple[Any, ...]:
            # Squares are added up weight by weight, and over the weights once for each group: XLA
            # takes three times as long as a gradient to add up a hundred thousand numbers.
            begin = (tf.constant(0), group, zeros, zeros)
            _, _, total, squares = tf.while_loop(
                lambda at, *_: at < counts[group], batch, begin, parallel_iterations=1
            )
            place = [[group]]
            rows = [
                tf.tensor_scatter_nd_update(whole, place, part[None])
                for whole, part in zip(sums, total, strict=True)
            ]
            norm = tf.add_n([tf.reduce_sum(part) for part in squares])
            return group + 1, rows, tf.tensor_scatter_nd_update(norms, place, [norm])

        empty = [tf.zeros((groups, *weight.shape), tf.float32) for weight in weights]
        first = (tf.constant(0), empty, tf.zeros(groups, tf.float32))
        _, sums, norms = tf.while_loop(
            lambda group, *_: group < groups, one, first, parallel_iterations=1
        )
        return sums, norms

    def _gradient(
        self, model: keras.Model, arrays: Arrays, chosen: Any, weights: list[Any]
    ) -> list[Any]:
        """Trace the gradient of Keras' own loss, without what only training does."""
        x, *rest = keras.tree.map_structure(lambda array: tf.gather(array, chosen), arrays)
        if self._scale is not None:
            x = keras.tree.map_structure(lambda a: tf.cast(a, tf.float32) * self._scale, x)
        y, weight = (*rest, None, None)[:2]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            outputs = model(x, training=False)
            loss = model.compute_loss(x, y, outputs, weight, training=False)
        found = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.cast(tf.convert_to_tensor(part), tf.float32) for part in found]
