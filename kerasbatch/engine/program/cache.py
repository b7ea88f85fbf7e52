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
from kerasbatch.engine.weak_reference import weak_reference

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class _Entry(Generic[Kind]):
    """A program and its key: equal settings, and identical objects."""

    program: Kind
    settings: tuple[Any, ...]
    objects: tuple[Callable[[], Any], ...]

    def matches(self, settings: tuple[Any, ...], objects: tuple[Any, ...]) -> bool:
        """Return whether the program is still valid."""
        same = (
            reference() is other for reference, other in zip(self.objects, objects, strict=True)
        )
        return self.settings == settings and all(same)


class ProgramCache(Generic[Kind]):
    """The programs of one kind, by model."""

    def __init__(self) -> None:
        self._entries: weakref.WeakKeyDictionary[keras.Model, _Entry[Kind]] = (
            weakref.WeakKeyDictionary()
        )

    def get(self, model: keras.Model, settings: tuple[Any, ...], make: Callable[[], Kind]) -> Kind:
        """Return the program of the model, from the cache if it is still valid.

        Args:
            model: a built, compiled model.
            settings: the key of the program, beside the compiled model.
            make: returns a new program.
        """
        objects = (model.optimizer, *keras_private.compiled_with(model))
        entry = self._entries.get(model)
        if entry is None or not entry.matches(settings, objects):
            entry = _Entry(make(), settings, tuple(map(weak_reference, objects)))
            self._entries[model] = entry
        return entry.program

    def forget(self, model: keras.Model) -> None:
        """Remove the program of a model, so that the next call makes a new one."""
        self._entries.pop(model, None)
