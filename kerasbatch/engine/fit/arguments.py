"""The arguments of `fit`, as Keras names them, and what is wrong with their numbers."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import keras

from kerasbatch.engine.options import FitOptions, Validation
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import BatchSize

_LEAST = {
    "batch_size": 1,
    "epochs": 0,
    "initial_epoch": 0,
    "steps_per_epoch": 1,
    "validation_steps": 0,
    "validation_batch_size": 1,
}
"""The least value of every number."""


@dataclass(frozen=True)
class FitArguments:
    """What `fit` was called with; every name and default is that of Keras."""

    x: Any = None
    y: Any = None
    batch_size: BatchSize | None = None
    epochs: int = 1
    verbose: str | int = "auto"
    callbacks: Any = None
    validation_split: float = 0.0
    validation_data: Any = None
    shuffle: bool = True
    class_weight: dict[int, float] | None = None
    sample_weight: Any = None
    initial_epoch: int = 0
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    validation_batch_size: int | None = None
    validation_freq: Any = 1
    validates_on_arrays: bool = False

    def checked(self) -> "FitArguments":
        """Return the same with Python's own integers as numbers; None stays None.

        Raises:
            SpecError: if a number is none or out of its range; all faults at once.
        """
        if faults := [*self._number_faults(), *self._split_faults()]:
            raise SpecError(faults)
        numbers = {name: getattr(self, name) for name in _LEAST}
        plain: dict[str, Any] = {
            name: operator.index(value)
            for name, value in numbers.items()
            if value is not None and value != "full"
        }
        return replace(self, **plain)

    def _number_faults(self) -> Iterator[Fault]:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None or (name == "batch_size" and value == "full"):
                continue
            wrong = isinstance(value, bool) or not hasattr(value, "__index__")
            if wrong or operator.index(value) < least:
                message = f"found {value!r}; must be a whole number, {least} or more"
                yield Fault((name,), message)

    def _split_faults(self) -> Iterator[Fault]:
        if not 0 <= self.validation_split < 1:
            found = f"found {self.validation_split!r}"
            message = f"{found}; must be a share of the examples, 0 up to below 1"
            yield Fault(("validation_split",), message)

    def for_keras(self) -> dict[str, Any]:
        """Return all of them as arguments of Keras' own `fit`.

        Raises:
            SpecError: for a batch size of `full`, which Keras does not have.
        """
        if self.batch_size == "full":
            message = "full needs data that lie in memory as arrays; write a number"
            raise SpecError.at(("batch_size",), message)
        names = [field.name for field in fields(self) if field.name != "validates_on_arrays"]
        return {name: getattr(self, name) for name in names}

    def validation_by_keras(self) -> Validation | None:
        """Return data for validation that only Keras can read, or None where there are none."""
        if self.validation_data is None:
            return None
        size = self.validation_batch_size or (
            None if self.batch_size == "full" else self.batch_size
        )
        steps, freq = self.validation_steps, self.validation_freq
        return Validation(self.validation_data, False, size, steps, freq)

    def options(self) -> FitOptions:
        """Return what every engine's `fit` is called with, but for the validation."""
        return FitOptions(
            callbacks=keras.tree.flatten(self.callbacks or []),
            verbose=self.verbose,
            initial_epoch=self.initial_epoch,
        )
