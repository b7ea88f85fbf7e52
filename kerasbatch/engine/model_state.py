"""The state of a Keras model from outside: its variables, undoing, reading, the loss of a step."""

import contextlib
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.obstacle import ObstacleError

ITEM = {"kerasbatch": tf.TensorSpec((), tf.int64)}
"""What the data of `one_item` look like, and no others."""


def all_variables(model: keras.Model) -> list[keras.Variable]:
    """Return everything that a training step may change: weights, optimizer, metrics, seeds."""
    optimizer = model.optimizer.variables if model.optimizer is not None else []
    found = [*model.variables, *optimizer, *model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())


def copy_values(variables: Sequence[keras.Variable]) -> list[tf.Tensor]:
    """Return copies of the values that variables have now."""
    return [tf.identity(variable.value) for variable in variables]


def assign_values(variables: Sequence[keras.Variable], copies: Sequence[tf.Tensor]) -> None:
    """Give variables the values that were copied."""
    for variable, value in zip(variables, copies, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def preserve(variables: Sequence[keras.Variable]) -> Iterator[None]:
    """Give variables back the values that they have now."""
    before = copy_values(variables)
    try:
        yield
    finally:
        assign_values(variables, before)


def build_optimizer(model: keras.Model) -> None:
    """Give the optimizer its variables; not twice, for some make new ones every time."""
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def one_item_dataset() -> tf.data.Dataset:
    """Return what `fit` iterates over when an epoch is one call of its train function."""
    return tf.data.Dataset.from_tensors({"kerasbatch": tf.constant(0, tf.int64)})


@contextlib.contextmanager
def override_function(model: keras.Model, name: str, function: Callable[[], Any]) -> Iterator[None]:
    """Put a function in place of a model's compiled one, for the data of `one_item`.

    Other data, those of an `evaluate` in a callback for instance, reach the model's own.

    Args:
        model: a compiled model.
        name: `train_function` or `test_function`.
        function: called for the one item.
    """
    own = getattr(model, name)

    def instead(iterator: Any) -> Any:
        nonlocal own
        if getattr(iterator, "element_spec", None) == ITEM:
            return function()
        if own is None:
            setattr(model, name, None)
            getattr(model, f"make_{name}")()
            own = getattr(model, name)
            setattr(model, name, instead)
        return own(iterator)

    setattr(model, name, instead)
    try:
        yield
    finally:
        if getattr(model, name) is instead:  # else a callback has compiled the model anew
            setattr(model, name, own)


def copy_model_state(source: keras.Model, target: keras.Model) -> None:
    """Give a model the whole state of another one of the same structure."""
    build_optimizer(source)
    pairs = zip(all_variables(source), all_variables(target), strict=False)
    for fresh, used in pairs:
        used.assign(fresh.value)
    for metric in target.metrics:
        metric.reset_state()


@contextlib.contextmanager
def capture_step_loss(model: keras.Model, on_loss: Callable[[Any], Any]) -> Iterator[None]:
    """Hand the loss of each traced step to `on_loss`, while a training step is being traced.

    Keras shows callbacks the running mean of the epoch only; the loss of the step itself passes
    through the metric that computes this mean.
    """
    tracker = next((metric for metric in model.metrics if metric.name == "loss"), None)
    if tracker is None:
        raise ValueError("the loss of a step cannot be seen: the model has no metric named loss")
    update_state = tracker.update_state

    def update_and_tell(values: Any, sample_weight: Any = None) -> Any:
        on_loss(tf.cast(values, tf.float32))
        return update_state(values, sample_weight=sample_weight)

    tracker.update_state = update_and_tell
    try:
        yield
    finally:
        del tracker.update_state


def build_model(model: keras.Model, batch: Any) -> None:
    """Build a model, its optimizer, loss and metrics without taking a step.

    A model without `call`, a generative one with a `train_step` of its own, is built by tracing
    that step: a trace computes nothing.

    Args:
        model: a compiled model.
        batch: what its training step gets, or what that looks like.

    Raises:
        ObstacleError: if Keras raised an error.
    """
    try:
        keras_private.build(model, batch)
    except Exception as error:
        if keras_private.has_keras_step(model, "train_step"):
            raise _not_built(error) from error
        shapes = keras.tree.map_structure(_any_number, batch)
        try:
            tf.function(model.train_step, autograph=False).get_concrete_function(shapes)
        except Exception as again:
            raise _not_built(again) from again
    build_optimizer(model)


def _not_built(error: Exception) -> ObstacleError:
    return ObstacleError(f"Keras cannot build it ({short_error(error)})")


def _any_number(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)


def short_error(error: BaseException) -> str:
    """Return the type of an error and the beginning of what it says, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return f"{type(error).__name__}: {textwrap.shorten(text, 200, placeholder=' ...')}"
