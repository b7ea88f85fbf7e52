"""The callbacks of a spec, created for every run."""

from typing import Any

import keras

from kerasbatch.errors import Location, SpecError
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.spec import keras_registry
from kerasbatch.spec.callback_rules import (
    is_passed_callback,
    is_user_callback,
    monitored,
    name_and_arguments,
)
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.user_code import calls


def make_callbacks(spec: Spec, access: Access) -> list[keras.callbacks.Callback]:
    """Return new callbacks of a single-run spec, in their order.

    Raises:
        SpecError: if Keras refuses an argument, if user code returns no callback, or without trust.
    """
    return [
        _callback(callback_spec, access, ("callbacks", number))
        for number, callback_spec in enumerate(spec.callbacks)
    ]


def _callback(callback_spec: Any, access: Access, location: Location) -> keras.callbacks.Callback:
    if is_user_callback(callback_spec):
        return _user_callback(callback_spec["python"], access, (*location, "python"))
    if is_passed_callback(callback_spec):
        return _passed_callback(callback_spec["object"], access, location)
    return _keras_callback(callback_spec, location)


def _passed_callback(name: str, access: Access, location: Location) -> keras.callbacks.Callback:
    """Return the callback itself in the process that passed it, so that its caller can read it."""
    passed = access.objects.get(name, location)
    callback = passed
    if callable(passed):
        with keras_refusals(location):
            callback = passed()
    if not isinstance(callback, keras.callbacks.Callback):
        message = f"found {type(callback).__name__}; must be a keras.callbacks.Callback"
        raise SpecError.at(location, message)
    return callback


def _user_callback(name: str, access: Access, location: Location) -> keras.callbacks.Callback:
    callback = calls.call(name, access, location)
    if not isinstance(callback, keras.callbacks.Callback):
        message = (
            f"{name} returned {type(callback).__name__}; must return a keras.callbacks.Callback"
        )
        raise SpecError.at(location, message)
    return callback


def _keras_callback(callback_spec: Any, location: Location) -> keras.callbacks.Callback:
    name, arguments = name_and_arguments(callback_spec)
    monitor = monitored(name, arguments)
    if monitor is not None and arguments.get("mode", "auto") == "auto":
        # Keras guesses the mode by the name and treats an AUC as a loss.
        metric = monitor.removeprefix("val_").removeprefix("train_")
        arguments["mode"] = "min" if keras_registry.lower_is_better(metric) else "max"
    with keras_refusals(location if isinstance(callback_spec, str) else (*location, name)):
        options = keras_registry.with_floats("callbacks", name, arguments)
        return getattr(keras.callbacks, name)(**options)
