"""The values of a model's variables as JAX arrays, which a program gets and returns."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
from jax import lax


class ModelArrays(NamedTuple):
    """The variables of a model, or their values, in the form of Keras' `train_step` on JAX."""

    trainable: list[Any]
    non_trainable: list[Any]
    optimizer: list[Any]
    metrics: list[Any]

    def without_optimizer(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Return the values in the form of Keras' `test_step`."""
        return self.trainable, self.non_trainable, self.metrics


def variables_of(model: keras.Model) -> ModelArrays:
    """Return the variables of a built, compiled model."""
    optimizer = model.optimizer.variables if model.optimizer is not None else []
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        optimizer,
        model.metrics_variables,
    )
    return ModelArrays(*map(list, groups))


class OwnedArrays:
    """Reads and writes variables; remembers the arrays that nobody else holds.

    A program is compiled to overwrite its arguments. An array that came from elsewhere, such as
    `model.set_weights`, is copied first: the user, or another variable, may hold it too.
    """

    def __init__(self) -> None:
        self._owned: dict[int, Any] = {}

    def read(self, model: keras.Model) -> ModelArrays:
        """Return the values of a model's variables, which a program may overwrite."""
        values = jax.tree.map(self._own, values_of(model))
        self._owned = {}
        return ModelArrays(*values)

    def write(self, model: keras.Model, values: ModelArrays) -> None:
        """Assign values that nobody else holds to a model's variables."""
        groups = zip(variables_of(model), values, strict=True)
        for variables, arrays in groups:
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)
        self._owned = {id(array): array for array in jax.tree.leaves(values)}

    def release(self) -> None:
        """Hold no array."""
        self._owned = {}

    def _own(self, value: Any) -> Any:
        is_owned = self._owned.get(id(value)) is value
        return value if is_owned else jnp.array(value, value.dtype, copy=True)


def values_of(model: keras.Model) -> ModelArrays:
    """Return the present values of a model's variables."""
    groups = ([variable.value for variable in group] for group in variables_of(model))
    return ModelArrays(*groups)


def like(before: ModelArrays, after: Any) -> ModelArrays:
    """Return values after a step with the types of those before it, as a loop needs them."""
    groups = ModelArrays(*map(list, after))
    return ModelArrays(*jax.tree.map(_with_type_of, before, groups))


def _with_type_of(before: Any, after: Any) -> Any:
    return lax.convert_element_type(after, before.dtype)


def reset_metrics(model: keras.Model, values: ModelArrays) -> ModelArrays:
    """Return values in which all metrics of a model are reset."""
    variables = model.metrics_variables
    mapping = list(zip(variables, values.metrics, strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        model.reset_metrics()
    reset = [scope.get_current_value(variable) for variable in variables]
    arrays = [
        before if after is None else _with_type_of(before, jnp.asarray(after))
        for before, after in zip(values.metrics, reset, strict=True)
    ]
    return values._replace(metrics=arrays)


def metrics_result(model: keras.Model, values: ModelArrays) -> Any:
    """Return the results of Keras' metrics."""
    mapping = list(zip(model.metrics_variables, values.metrics, strict=True))
    with keras.StatelessScope(state_mapping=mapping):
        return jax.tree.map(jnp.asarray, dict(model.get_metrics_result()))
