"""Gradients of small batches as one compiled program: sums by group, and squared norms.

The loop holds one gradient and one sum per group. The model is unchanged.
"""

import contextlib
import weakref
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.blocks import GroupSums
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.tensorflow import private as tensorflow_private
from kerasbatch.engine.tensorflow.index_checks import IndexChecks
from kerasbatch.engine.tensorflow.lowering.xla_mode import lowering_of
from kerasbatch.engine.tensorflow.step_loop import scaled_bytes
from kerasbatch.engine.weak_reference import live_model
from kerasbatch.engine.xla import XlaMode
from kerasbatch.types import Array


class TensorFlowNoiseProgram:
    """The compiled gradients of one compiled model.

    Args:
        model: a built, compiled model; held by a weak reference, so that a cache keeps no model.
        mode: the use of XLA; it compiles all loops or nothing.
        scale: the factor of bytes in x, or None.
    """

    def __init__(self, model: keras.Model, *, mode: XlaMode, scale: float | None) -> None:
        self._model, self._scale, self._mode = weakref.ref(model), scale, mode
        is_compiled = mode != "none"
        self.checks = IndexChecks() if is_compiled else None
        self._sums = tf.function(self._lowered_loops, autograph=False, jit_compile=is_compiled)
        tensorflow_private.silence_retracing(self._sums)

    def take_mistake(self) -> str | None:
        """Return the first index that was out of range in words, and forget it; or None."""
        return self.checks.take_mistake() if self.checks else None

    def sums(self, arrays: Arrays, indices: Array, counts: Array) -> tuple[GroupSums, Array]:
        """Add up the gradients of small batches, group by group.

        Args:
            arrays: the data on the device.
            indices: the examples of every small batch, shape (groups, batches, small batch).
            counts: the number of batches to use in each group, shape (groups,).

        Returns:
            The sums of gradients, and of their squared norms, shape (groups,).
        """
        sums, squares = self._sums(arrays, tf.constant(indices, tf.int32), tf.constant(counts))
        return [part.numpy() for part in sums], squares.numpy().astype(np.float64)

    def _lowered_loops(self, arrays: Arrays, indices: Any, counts: Any) -> tuple[list[Any], Any]:
        with lowering_of(self._mode):
            return self._loops(arrays, indices, counts)

    def _loops(self, arrays: Arrays, indices: Any, counts: Any) -> tuple[list[Any], Any]:
        """Trace a loop over groups, with an inner loop over their small batches."""
        groups, model = int(indices.shape[0]), live_model(self._model)
        weights = [variable.value for variable in model.trainable_variables]
        zeros = [tf.zeros(weight.shape, tf.float32) for weight in weights]

        def add_batch(at: Any, group: Any, total: list[Any], squares: list[Any]) -> tuple[Any, ...]:
            gradient = self._gradient(model, arrays, indices[group, at], weights)
            total = [before + part for before, part in zip(total, gradient, strict=True)]
            squares = [
                before + tf.square(part) for before, part in zip(squares, gradient, strict=True)
            ]
            return at + 1, group, total, squares

        def add_group(group: Any, sums: list[Any], norms: Any) -> tuple[Any, ...]:
            # Squares are summed per weight in the loop, and over the weights once per group: XLA
            # takes three times as long as a gradient to sum a hundred thousand numbers.
            begin = (tf.constant(0), group, zeros, zeros)
            _, _, total, squares = tf.while_loop(
                lambda at, *_: at < counts[group], add_batch, begin, parallel_iterations=1
            )
            place = [[group]]
            rows = [
                tf.tensor_scatter_nd_update(group_sums, place, part[None])
                for group_sums, part in zip(sums, total, strict=True)
            ]
            norm = tf.add_n([tf.reduce_sum(part) for part in squares])
            return group + 1, rows, tf.tensor_scatter_nd_update(norms, place, [norm])

        empty = [tf.zeros((groups, *weight.shape), tf.float32) for weight in weights]
        first = (tf.constant(0), empty, tf.zeros(groups, tf.float32))
        _, sums, norms = tf.while_loop(
            lambda group, *_: group < groups, add_group, first, parallel_iterations=1
        )
        return sums, norms

    def _gradient(
        self, model: keras.Model, arrays: Arrays, chosen: Any, weights: list[Any]
    ) -> list[Any]:
        """Trace the gradient of Keras' own loss, with the model in inference mode."""
        x, *rest = keras.tree.map_structure(lambda array: tf.gather(array, chosen), arrays)
        if self._scale is not None:
            scale = self._scale
            x = keras.tree.map_structure(lambda array: scaled_bytes(array, scale), x)
        y, weight = (*rest, None, None)[:2]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with self.checks.recording() if self.checks else contextlib.nullcontext():
                outputs = model(x, training=False)
                loss = model.compute_loss(x, y, outputs, weight, training=False)
        gradient = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.cast(tf.convert_to_tensor(part), tf.float32) for part in gradient]
