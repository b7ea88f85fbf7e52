"""The callbacks of a spec, created for every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from kerasbatch.errors import Location, SpecError
from kerasbatch.models.keras_objects import argument_values
from kerasbatch.models.refusals import keras_refusals, passed_code_errors
from kerasbatch.spec import keras_registry
from kerasbatch.spec.call_arguments import ARGUMENTS, RUN_DIRECTORY, call_with
from kerasbatch.spec.callbacks import (
    is_passed_callback,
    is_user_callback,
    monitored,
    name_and_arguments,
)
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.user_code import calls


def make_callbacks(spec: Spec, access: Access, directory: Path) -> list[keras.callbacks.Callback]:
    """Return new callbacks of a single-run spec, in their order.

    Args:
        spec: a single-run spec.
        access: the files and code that the spec may use.
        directory: a folder of the run, in which its callbacks may write.

    Raises:
        SpecError: if Keras refuses an argument, if user code returns no callback, or without trust.
    """
    callbacks = []
    for number, written in enumerate(spec.callbacks):
        location: Location = ("callbacks", number)
        if is_user_callback(written):
            callbacks += _user_callbacks(written, access, (*location, "python"), directory)
        elif is_passed_callback(written):
            callbacks += _passed_callbacks(written, access, location, directory)
        else:
            callbacks.append(_keras_callback(written, location))
    return callbacks


def _passed_callbacks(
    written: Mapping[str, Any], access: Access, location: Location, directory: Path
) -> list[keras.callbacks.Callback]:
    """Return the callback itself in the process that passed it, so that its caller can read it."""
    passed = access.objects.get(written["object"], location)
    returned = passed
    if callable(passed):
        with passed_code_errors(written["object"], location):
            arguments = written.get(ARGUMENTS) or {}
            returned = call_with(passed, {RUN_DIRECTORY: directory}, arguments, location)
    return _checked(returned, written["object"], location)


def _user_callbacks(
    written: Mapping[str, Any], access: Access, location: Location, directory: Path
) -> list[keras.callbacks.Callback]:
    name, arguments = written["python"], written.get(ARGUMENTS) or {}
    returned = calls.call(name, access, location, {RUN_DIRECTORY: directory}, arguments)
    return _checked(returned, name, location)


def _checked(returned: Any, name: str, location: Location) -> list[keras.callbacks.Callback]:
    """Return the callbacks that a function returned: one, or a list of them."""
    callbacks = list(returned) if isinstance(returned, list | tuple) else [returned]
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            message = f"{name} returned {type(callback).__name__}; must return a "
            raise SpecError.at(location, f"{message}keras.callbacks.Callback, or a list of them")
    return callbacks


def _keras_callback(callback_spec: Any, location: Location) -> keras.callbacks.Callback:
    name, arguments = name_and_arguments(callback_spec)
    place = location if isinstance(callback_spec, str) else (*location, name)
    if name == "LearningRateScheduler":
        return _scheduler(arguments, place)
    monitor = monitored(name, arguments)
    if monitor is not None and arguments.get("mode", "auto") == "auto":
        # Keras guesses the mode by the name and treats an AUC as a loss.
        metric = monitor.removeprefix("val_").removeprefix("train_")
        arguments["mode"] = "min" if keras_registry.lower_is_better(metric) else "max"
    with keras_refusals(place):
        options = keras_registry.with_floats("callbacks", name, arguments)
        return getattr(keras.callbacks, name)(**options)


def _scheduler(arguments: dict[str, Any], location: Location) -> keras.callbacks.Callback:
    """Return a callback that sets the rate of every epoch, counted from 0, by a schedule."""
    schedule = argument_values(arguments, location)["schedule"]
    return keras.callbacks.LearningRateScheduler(lambda epoch: float(schedule(epoch)))
