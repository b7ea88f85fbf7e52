"""Optimizers, losses and metrics of own code: from a file, or passed from Python."""

import contextlib
import functools
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from kerasbatch.errors import Location, SpecError
from kerasbatch.models.layer_names import snake_case
from kerasbatch.models.refusals import keras_refusals, passed_code_errors
from kerasbatch.spec.call_arguments import ARGUMENTS, call_with, required
from kerasbatch.spec.compile_part import CompilePart
from kerasbatch.spec.trust import Access
from kerasbatch.user_code import calls

LABELS_AND_OUTPUTS = 2
"""The parameters of a function that is a loss or a metric: (y_true, y_pred)."""
_OPTIMIZERS: "weakref.WeakSet[keras.optimizers.Optimizer]" = weakref.WeakSet()
"""The optimizers that code of the user returned; each belongs to one training."""


def own_optimizer(
    part: CompilePart, access: Access, location: Location
) -> keras.optimizers.Optimizer:
    """Return the optimizer that a class or a function makes, or a new copy of a passed one.

    Raises:
        SpecError: if it is no optimizer of Keras, or one that was used before.
    """
    with _code(part, access, location) as (code, place):
        if isinstance(code, keras.optimizers.Optimizer):
            return _fresh(code, part, location)
        optimizer = call_with(code, {}, part.own_arguments, place)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise _wrong(part, optimizer, "a keras.optimizers.Optimizer", place)
    if optimizer in _OPTIMIZERS or optimizer.built:
        message = f"{part.name} returned an optimizer that was used before; make it inside "
        raise SpecError.at(place, f"{message}the function")
    _OPTIMIZERS.add(optimizer)
    return optimizer


def own_loss(part: CompilePart, access: Access, location: Location) -> Any:
    """Return a loss: a function of labels and outputs, or an object of a class.

    Raises:
        SpecError: if it is neither, or cannot be made with its arguments.
    """
    with _code(part, access, location) as (code, place):
        if isinstance(code, keras.Loss):
            return _fresh(code, part, location)
        return _loss_of(code, part, place)


def _loss_of(code: Callable[..., Any], part: CompilePart, place: Location) -> Any:
    if not isinstance(code, type) and _is_of_labels(code, part):
        return _with_arguments(code, part, place)
    loss = call_with(code, {}, part.own_arguments, place)
    if not (isinstance(loss, keras.Loss) or callable(loss)):
        raise _wrong(part, loss, "a loss: a function of (y_true, y_pred), or a keras.Loss", place)
    return loss


def own_metric(part: CompilePart, access: Access, location: Location) -> keras.Metric:
    """Return a metric, whose name is that of its column.

    Raises:
        SpecError: if it is none, or has another name.
    """
    with _code(part, access, location) as (code, place):
        metric = _metric_of(code, part, place)
    base = snake_case(type(metric).__name__)
    if re.fullmatch(rf"{re.escape(base)}(_\d+)?", metric.name):
        metric.name = part.metric_name  # Keras counted the objects of its class
    if metric.name != part.metric_name:
        message = f"the metric is called {metric.name!r}; write as: {metric.name}, or give it the "
        raise SpecError.at(place, f"{message}name {part.metric_name}")
    return metric


def _metric_of(code: Any, part: CompilePart, place: Location) -> keras.Metric:
    if isinstance(code, keras.Metric):
        metric: Any = _fresh(code, part, place)
    elif not isinstance(code, type) and _is_of_labels(code, part):
        metric = _with_arguments(code, part, place)
    else:
        metric = call_with(code, {"name": part.metric_name}, part.own_arguments, place)
    if isinstance(metric, keras.Metric):
        return metric
    if not callable(metric):
        message = "a metric: a function of (y_true, y_pred), or a keras.Metric"
        raise _wrong(part, metric, message, place)
    return keras.metrics.MeanMetricWrapper(metric, name=part.metric_name)


@contextlib.contextmanager
def part_errors(part: CompilePart, access: Access, location: Location) -> Iterator[None]:
    """Turn errors of an optimizer, loss or metric at work into faults at its place."""
    if part.python is not None:
        with calls.user_errors(part.python, access, (*location, "python")):
            yield
    else:
        with keras_refusals(location):
            yield


@contextlib.contextmanager
def _code(part: CompilePart, access: Access, location: Location) -> Iterator[tuple[Any, Location]]:
    """Yield what the spec names, and the place of its name, while code of the user may run."""
    if part.python is not None:
        place = (*location, "python")
        with calls.loaded(part.python, access, place) as function:
            yield function, place
    else:
        with passed_code_errors(part.name, location):
            yield access.objects.get(str(part.object), location), location


def _fresh(passed: Any, part: CompilePart, location: Location) -> Any:
    """Return a new object like one that was passed, without its state."""
    if part.own_arguments:
        message = "an object that is made already takes no arguments; pass its class"
        raise SpecError.at((*location, ARGUMENTS), message)
    if isinstance(passed, keras.Loss):
        return passed  # it has no state
    copy = type(passed).from_config(passed.get_config())
    if isinstance(passed, keras.Metric):
        for name, value in vars(passed).items():
            if isinstance(value, str | int | float) and name != "built":
                setattr(copy, name, value)
    elif excluded := getattr(passed, "_exclude_from_weight_decay", None):
        copy._exclude_from_weight_decay = excluded
    return copy


def _is_of_labels(code: Callable[..., Any], part: CompilePart) -> bool:
    """Return whether a function is a loss or a metric itself, and not one that makes it."""
    return required(code, part.own_arguments) == LABELS_AND_OUTPUTS


def _with_arguments(
    function: Callable[..., Any], part: CompilePart, place: Location
) -> Callable[..., Any]:
    """Return a loss or metric function with the arguments of the spec."""
    arguments: Mapping[str, Any] = part.own_arguments
    if not arguments:
        return function

    @functools.wraps(function)
    def bound(y_true: Any, y_pred: Any) -> Any:
        return call_with(function, {"y_true": y_true, "y_pred": y_pred}, arguments, place)

    return bound


def _wrong(part: CompilePart, made: Any, wanted: str, place: Location) -> SpecError:
    message = f"{part.name} returned {type(made).__name__}; must return {wanted}"
    return SpecError.at(place, message)
