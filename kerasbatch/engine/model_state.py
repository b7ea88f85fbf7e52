"""The state of a Keras model: its variables, copies of them, its functions, the loss of a step."""

import contextlib
import math
import re
import textwrap
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import keras_fit, keras_private
from kerasbatch.engine.backend import backend
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.weak_reference import weak_reference

MAX_KEPT_BYTES = 2**26
"""The size of a model, with its optimizer, from which on nothing of it is kept for others."""


def all_variables(model: keras.Model) -> list[keras.Variable]:
    """Return all variables that a training step may change: weights, optimizer, metrics, seeds."""
    keras_fit.attach_state(model)
    optimizer = model.optimizer.variables if model.optimizer is not None else []
    variables = [*model.variables, *optimizer, *model.metrics_variables]
    return list({id(variable): variable for variable in variables}.values())


def bytes_of(variables: Sequence[keras.Variable]) -> int:
    """Return the bytes that the values of variables take."""
    return sum(_item_size(each) * math.prod(each.shape) for each in variables)


def _item_size(variable: keras.Variable) -> int:
    return int(np.dtype(keras.backend.standardize_dtype(variable.dtype)).itemsize)


def copy_values(variables: Sequence[keras.Variable]) -> list[Any]:
    """Return copies of the current values of variables, as tensors."""
    return [keras.ops.copy(variable.value) for variable in variables]


def assign_values(variables: Sequence[keras.Variable], copies: Sequence[Any]) -> None:
    """Assign copied values to variables."""
    for variable, value in zip(variables, copies, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def preserve(variables: Sequence[keras.Variable]) -> Iterator[None]:
    """Restore the current values of variables at the end of the context."""
    copies = copy_values(variables)
    try:
        yield
    finally:
        assign_values(variables, copies)


def build_optimizer(model: keras.Model) -> None:
    """Build the optimizer if it is not built; some create new variables at every call."""
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def copy_model_state(source: keras.Model, target: keras.Model) -> None:
    """Copy the complete state of a model to another one of the same structure."""
    build_optimizer(source)
    pairs = zip(all_variables(source), all_variables(target), strict=False)
    for source_variable, target_variable in pairs:
        target_variable.assign(source_variable.value)
    for metric in target.metrics:
        metric.reset_state()


@contextlib.contextmanager
def capture_step_loss(model: keras.Model, on_loss: Callable[[Any], Any]) -> Iterator[None]:
    """Call `on_loss` with the loss of each step, while a training step is traced.

    Keras passes only the running mean of the epoch to callbacks. The loss of a step is an argument
    of the metric that computes this mean.
    """
    tracker = next((metric for metric in model.metrics if metric.name == "loss"), None)
    if tracker is None:
        raise ValueError("the loss of a step cannot be seen: the model has no metric named loss")
    update_state = tracker.update_state

    def update_and_report(values: Any, sample_weight: Any = None) -> Any:
        on_loss(keras.ops.cast(values, "float32"))
        return update_state(values, sample_weight=sample_weight)

    tracker.update_state = update_and_report
    try:
        yield
    finally:
        del tracker.update_state


def build_model(model: keras.Model, batch: Any) -> None:
    """Build what a training step uses, without taking a step.

    Args:
        model: a compiled model.
        batch: the argument of its training step, or the spec of it.

    Raises:
        ObstacleError: if Keras raised an error.
    """
    try:
        if keras_private.has_keras_step(model, "train_step"):
            keras_private.build(model, batch)
            build_optimizer(model)
        elif model not in _TRACED or _TRACED[model]() is not model.optimizer:
            backend().build_for_own_step(model, batch)
            _TRACED[model] = weak_reference(model.optimizer)
    except Exception as error:
        raise _not_built(error) from error


_TRACED: "weakref.WeakKeyDictionary[keras.Model, Callable[[], Any]]" = weakref.WeakKeyDictionary()
"""The models whose custom step was traced, with their optimizer at that time."""


def _not_built(error: Exception) -> ObstacleError:
    return ObstacleError(f"Keras cannot build it ({short_error(error)})")


def short_error(error: BaseException) -> str:
    """Return the type of an error and the beginning of its message, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return f"{type(error).__name__}: {textwrap.shorten(text, 200, placeholder=' ...')}"


@contextlib.contextmanager
def keras_compiled(model: keras.Model, with_xla: bool | None) -> Iterator[None]:
    """Let Keras' own `fit` compile a model's steps with XLA or without, in a context.

    Args:
        model: a compiled model.
        with_xla: whether to use XLA; None leaves it to the model's `compile`.
    """
    before = model.jit_compile
    if with_xla is None or bool(before) == with_xla:
        yield
        return
    functions = {name: vars(model).get(name) for name in ("train_function", "test_function")}
    model.jit_compile, model.train_function, model.test_function = with_xla, None, None
    try:
        yield
    finally:
        model.jit_compile = before
        for name, function in functions.items():
            setattr(model, name, function)
