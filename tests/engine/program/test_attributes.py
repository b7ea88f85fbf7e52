"""Every argument of Keras' classes shows in their attributes, or they are not described at all."""

import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from corner_support import L

from kerasbatch.engine.program.attributes import Attributes, OwnCodeError

MODULES = (
    keras.losses,
    keras.metrics,
    keras.optimizers,
    keras.optimizers.schedules,
    keras.regularizers,
    keras.constraints,
    keras.layers,
)
WITHOUT_EFFECT = {"name", "seed", "learning_rate", "initial_learning_rate"}
REQUIRED: dict[str, Any] = {
    "units": 3,
    "filters": 2,
    "kernel_size": 3,
    "rate": 0.2,
    "num_heads": 2,
    "num_query_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "key_dim": 4,
    "factor": 0.1,
    "input_dim": 5,
    "output_dim": 3,
    "num_classes": 3,
    "target_class_ids": [0],
    "k": 3,
    "precision": 0.5,
    "recall": 0.5,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "initial_learning_rate": 0.1,
    "decay_steps": 10,
    "decay_rate": 0.9,
    "first_decay_steps": 10,
    "boundaries": [10],
    "values": [0.1, 0.01],
    "stddev": 0.1,
    "n": 2,
    "height": 4,
    "width": 4,
    "size": 2,
    "dims": [1],
    "target_shape": [4],
    "num_tokens": 4,
    "max_value": 2.0,
    "mask_value": 0.5,
    "num_bins": 4,
    "pool_size": 2,
    "target_height": 4,
    "target_width": 4,
}


def classes() -> Iterator[type]:
    bases = keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer, keras.Layer
    for module in MODULES:
        for name, kind in vars(module).items():
            if isinstance(kind, type) and not name.startswith("_") and kind not in bases:
                yield kind


def other(value: Any) -> Any:
    """Return another legal value in place of a default, if its type is a plain one."""
    if isinstance(value, bool):
        return not value
    return value * 2 + 3 if isinstance(value, int) else value / 2 if value else 0.25


def made(kind: type, **arguments: Any) -> Any:
    """Return an object, or None if it needs more or other arguments."""
    parameters = inspect.signature(kind).parameters.values()
    needed = {each.name for each in parameters if each.default is each.empty}
    required = {name: REQUIRED[name] for name in needed if name in REQUIRED}
    if issubclass(kind, keras.Metric):
        required["name"] = "part"  # Keras numbers it, and it is a key of the logs
    try:
        return kind(**(required | arguments))
    except Exception:
        return None


def described(part: Any) -> Any:
    """Return the attributes, or None if the object cannot be described."""
    try:
        return Attributes(getattr(part, "variables", ())).of(part)
    except OwnCodeError:
        return None


def changes() -> Iterator[Any]:
    for kind in classes():
        for parameter in inspect.signature(kind).parameters.values():
            is_plain = isinstance(parameter.default, bool | int | float)
            if parameter.name not in WITHOUT_EFFECT and is_plain:
                place = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}.{parameter.name}"
                yield pytest.param(kind, parameter, id=place)


def test_there_are_many_arguments() -> None:
    assert len(list(changes())) > 200


@pytest.mark.parametrize(("kind", "parameter"), list(changes()))
def test_an_argument_counts(kind: type, parameter: inspect.Parameter) -> None:
    default, changed = made(kind), made(kind, **{parameter.name: other(parameter.default)})
    if default is None or changed is None:
        pytest.skip("it needs other arguments")
    assert described(default) is None or described(default) != described(changed)
    assert described(made(kind)) == described(default)


def relu(x: Any) -> Any:
    return keras.ops.maximum(0.3 * x, x) - 1


class Weighted(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return 10 * keras.ops.mean(keras.ops.square(y_true - y_pred), -1)


class Own(keras.regularizers.Regularizer):
    def __call__(self, x: Any) -> Any:
        return 0.1 * keras.ops.sum(x)


class Counter(keras.metrics.Mean):
    pass


Weighted.__module__ = "keras_helpers"


@pytest.mark.parametrize(
    "part",
    [
        L.Dense(2, relu),
        L.Dense(2, lambda x: x),
        L.Dense(2, kernel_regularizer=Own()),
        L.Lambda(lambda x: x),
        L.LSTM(2, recurrent_activation=relu),
        Weighted(),
        Counter(),
    ],
)
def test_own_code_is_not_described(part: Any) -> None:
    """Not even under the name of a function or a package of Keras."""
    assert described(part) is None


def test_a_method_that_was_replaced() -> None:
    layer = L.Dense(2)
    assert described(layer) is not None
    layer.call = relu
    assert described(layer) is None


def test_what_is_set_after_construction() -> None:
    plain, other = keras.optimizers.AdamW(), keras.optimizers.AdamW()
    assert described(plain) == described(other)
    other.exclude_from_weight_decay(var_names=["bias"])
    assert described(plain) != described(other)
    layers = [L.Dense(2), L.Dense(2)]
    for layer in layers:
        layer.build((None, 3))
    attributes = [Attributes(layer.variables).of_variables(layer.variables) for layer in layers]
    assert attributes[0] == attributes[1]
    layers[1].kernel.regularizer = keras.regularizers.L2(1.0)
    assert attributes[0] != Attributes(layers[1].variables).of_variables(layers[1].variables)


def test_a_tensor_is_not_described() -> None:
    layer = L.Normalization()
    layer.adapt(np.arange(12.0).reshape(4, 3))
    assert described(layer) is None
