"""The arguments of `fit`, bound to the signature of Keras' own `fit`, and checked."""

import inspect
import operator
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras

from kerasbatch.engine.options import FitOptions, Validation
from kerasbatch.errors import Fault, SpecError

KERAS_SIGNATURE = inspect.signature(keras.Model.fit)
MINIMUM = {
    "batch_size": 1,
    "epochs": 0,
    "initial_epoch": 0,
    "steps_per_epoch": 1,
    "validation_steps": 0,
    "validation_batch_size": 1,
}
"""The smallest value of each integer argument."""


class FitArguments(SimpleNamespace):
    """The arguments of one call of `fit`, by Keras' names and with Keras' defaults."""

    def replaced(self, **changes: Any) -> "FitArguments":
        """Return a copy with some values replaced."""
        return FitArguments(**vars(self) | changes)

    def for_keras(self) -> dict[str, Any]:
        """Return the arguments for Keras' own `fit`.

        Raises:
            SpecError: for the batch size `full`, which Keras does not support.
        """
        if self.batch_size == "full":
            message = "full needs data that lie in memory as arrays; write a number"
            raise SpecError.at(("batch_size",), message)
        return dict(vars(self))

    def keras_validation(self) -> Validation | None:
        """Return validation data that only Keras can read, or None if there are none."""
        if self.validation_data is None:
            return None
        batch_size = None if self.batch_size == "full" else self.batch_size
        return Validation(
            self.validation_data,
            is_arrays=False,
            batch_size=self.validation_batch_size or batch_size,
            steps=self.validation_steps,
            freq=self.validation_freq,
        )

    def options(self) -> FitOptions:
        """Return the options of an engine's `fit`, without validation."""
        return FitOptions(
            callbacks=keras.tree.flatten(self.callbacks or []),
            verbose=self.verbose,
            initial_epoch=self.initial_epoch,
        )


def bind_arguments(
    model: keras.Model, positional: Sequence[Any], named: Mapping[str, Any]
) -> FitArguments:
    """Bind a call to the signature of Keras' `fit`; integers become Python integers.

    Raises:
        TypeError: if Keras' `fit` has no such argument.
        SpecError: if an integer argument has another type or is out of range; all faults at once.
    """
    bound = KERAS_SIGNATURE.bind(model, *positional, **named)
    bound.apply_defaults()
    values = dict(list(bound.arguments.items())[1:])  # without the model
    if faults := [*_number_faults(values), *_split_faults(values)]:
        raise SpecError(faults)
    numbers = {name: operator.index(values[name]) for name in MINIMUM if _is_set(values[name])}
    return FitArguments(**values | numbers)


def _is_set(value: Any) -> bool:
    return value is not None and value != "full"


def _number_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    for name, minimum in MINIMUM.items():
        value = values[name]
        if value is None or (name == "batch_size" and value == "full"):
            continue
        wrong = isinstance(value, bool) or not hasattr(value, "__index__")
        if wrong or operator.index(value) < minimum:
            message = f"found {value!r}; must be a whole number, {minimum} or more"
            yield Fault((name,), message)


def _split_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    if not 0 <= values["validation_split"] < 1:
        message = "must be a share of the examples, 0 up to below 1"
        split = values["validation_split"]
        yield Fault(("validation_split",), f"found {split!r}; {message}")
