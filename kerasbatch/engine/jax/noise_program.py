"""Gradients of small batches as one compiled program: sums by group, and squared norms.

The loop holds one gradient and one sum per group. The model is unchanged.
"""

import weakref
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax

from kerasbatch.engine.blocks import GroupSums
from kerasbatch.engine.jax.model_arrays import ModelArrays, values_of
from kerasbatch.engine.jax.step_loop import rows_of, scaled_bytes
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.weak_reference import live_model
from kerasbatch.types import Array


class JaxNoiseProgram:
    """The compiled gradients of one compiled model.

    Args:
        model: a built, compiled model; held by a weak reference, so that a cache keeps no model.
        scale: the factor of bytes in x, or None.
    """

    def __init__(self, model: keras.Model, scale: float | None) -> None:
        self._model, self._scale = weakref.ref(model), scale
        self._sums = jax.jit(self._loops)

    def take_mistake(self) -> str | None:
        """Return None: indices are not checked."""
        return None

    def sums(self, arrays: Arrays, indices: Array, counts: Array) -> tuple[GroupSums, Array]:
        """Add up the gradients of small batches, group by group.

        Args:
            arrays: the data on the device.
            indices: the examples of every small batch, shape (groups, batches, small batch).
            counts: the number of batches to use in each group, shape (groups,).

        Returns:
            The sums of gradients, and of their squared norms, shape (groups,).
        """
        values = values_of(live_model(self._model))
        sums, squares = self._sums(
            values, arrays, indices.astype(np.int32), counts.astype(np.int32)
        )
        return [np.asarray(part) for part in sums], np.asarray(squares, np.float64)

    def _loops(
        self, values: ModelArrays, arrays: Arrays, indices: Any, counts: Any
    ) -> tuple[list[Any], Any]:
        """Trace a loop over groups, with an inner loop over their small batches."""
        zeros = [jnp.zeros(weight.shape, jnp.float32) for weight in values.trainable]

        def add_batch(at: Any, state: Any, group: Any) -> Any:
            total, squares = state
            gradient = self._gradient(values, arrays, indices[group, at])
            total = [before + part for before, part in zip(total, gradient, strict=True)]
            squares = [
                before + jnp.square(part) for before, part in zip(squares, gradient, strict=True)
            ]
            return total, squares

        def add_group(group: Any) -> Any:
            # Squares are summed per weight in the loop, and over the weights once per group.
            body = lambda at, state: add_batch(at, state, group)  # noqa: E731
            total, squares = lax.fori_loop(0, counts[group], body, (zeros, zeros))
            return total, sum(jnp.sum(part) for part in squares)

        sums, norms = lax.map(add_group, jnp.arange(len(indices)))
        return sums, norms

    def _gradient(self, values: ModelArrays, arrays: Arrays, chosen: Any) -> list[Any]:
        """Trace the gradient of Keras' own loss, with the model in inference mode."""
        model, scale = live_model(self._model), self._scale
        x, *rest = keras.tree.map_structure(lambda array: rows_of(array, chosen), arrays)
        if scale is not None:
            x = keras.tree.map_structure(lambda array: scaled_bytes(array, scale), x)
        y, weight = (*rest, None, None)[:2]

        def loss_of(trainable: list[Any]) -> Any:
            loss, _ = model.compute_loss_and_updates(
                trainable, values.non_trainable, values.metrics, x, y, weight, training=False
            )
            return loss

        gradient = jax.grad(loss_of)(values.trainable)
        return [part.astype(jnp.float32) for part in gradient]
