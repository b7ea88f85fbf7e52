"""The callbacks that a spec names, made anew for every run."""

from typing import Any

import keras

from kerasbatch.errors import Location, SpecError
from kerasbatch.models.build import keras_refusals
from kerasbatch.spec import keras_registry, user_code
from kerasbatch.spec.callback_rules import is_user_callback, monitored, name_and_arguments
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access


def make_callbacks(spec: Spec, access: Access) -> list[keras.callbacks.Callback]:
    """Make the callbacks of a single-run spec, in their order.

    Raises:
        SpecError: if Keras refuses an argument, or own code makes no callback, or without trust.
    """
    return [
        _own(written["python"], access, ("callbacks", number, "python"))
        if is_user_callback(written)
        else _of_keras(written, ("callbacks", number))
        for number, written in enumerate(spec.callbacks)
    ]


def _own(name: str, access: Access, location: Location) -> keras.callbacks.Callback:
    made = user_code.call(name, access, location)
    if not isinstance(made, keras.callbacks.Callback):
        message = f"{name} returned {type(made).__name__}; must return a keras.callbacks.Callback"
        raise SpecError.at(location, message)
    return made


def _of_keras(written: Any, location: Location) -> keras.callbacks.Callback:
    name, arguments = name_and_arguments(written)
    watched = monitored(name, arguments)
    if watched is not None and arguments.get("mode", "auto") == "auto":
        # Keras guesses by the name and takes an AUC for a loss; metrics are known here.
        metric = watched.removeprefix("val_").removeprefix("train_")
        arguments["mode"] = "min" if keras_registry.lower_is_better(metric) else "max"
    with keras_refusals(location if isinstance(written, str) else (*location, name)):
        given = keras_registry.with_floats("callbacks", name, arguments)
        return getattr(keras.callbacks, name)(**given)
