"""A cache of the last compiled program of every model in use, to avoid repeated compilation.

Programs and the cache hold weak references to models. The cache also holds weak references to the
loss and the metrics, because these may refer to the model.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import keras

from kerasbatch.engine import keras_private

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class _Entry(Generic[Kind]):
    """A program and its key: values, which must be equal, and objects, which must be identical."""

    program: Kind
    values: tuple[Any, ...]
    objects: tuple[Callable[[], Any], ...]

    def matches(self, values: tuple[Any, ...], objects: tuple[Any, ...]) -> bool:
        """Return whether the program is still valid."""
        same = (
            reference() is other for reference, other in zip(self.objects, objects, strict=True)
        )
        return self.values == values and all(same)


class ProgramCache(Generic[Kind]):
    """The programs of one kind, by model."""

    def __init__(self) -> None:
        self._entries: weakref.WeakKeyDictionary[keras.Model, _Entry[Kind]] = (
            weakref.WeakKeyDictionary()
        )

    def get(self, model: keras.Model, values: tuple[Any, ...], make: Callable[[], Kind]) -> Kind:
        """Return the program of the model, from the cache if it is still valid.

        Args:
            model: a built, compiled model.
            values: the key of the program, beside the compiled model.
            make: returns a new program.
        """
        objects = (model.optimizer, *keras_private.compiled_with(model))
        entry = self._entries.get(model)
        if entry is None or not entry.matches(values, objects):
            entry = _Entry(make(), values, tuple(map(_weak_reference, objects)))
            self._entries[model] = entry
        return entry.program

    def forget(self, model: keras.Model) -> None:
        """Remove the program of a model, so that the next call makes a new one."""
        self._entries.pop(model, None)


def _weak_reference(value: Any) -> Callable[[], Any]:
    """Return a weak reference to an object; for None, a function that returns None."""
    return (lambda: None) if value is None else weakref.ref(value)
