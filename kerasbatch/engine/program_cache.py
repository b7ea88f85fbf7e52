"""The last compiled program of every model that is still in use, so that nothing compiles twice.

A program holds its model weakly, and so does the cache; loss and metrics too, which may hold the
model themselves.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import keras

from kerasbatch.engine import keras_private

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class _Kept(Generic[Kind]):
    """A program and what it was compiled for: values, and objects that must be the same ones."""

    program: Kind
    values: tuple[Any, ...]
    objects: tuple[Callable[[], Any], ...]

    def serves(self, values: tuple[Any, ...], objects: tuple[Any, ...]) -> bool:
        """Tell whether the program is still right."""
        same = (mine() is other for mine, other in zip(self.objects, objects, strict=True))
        return self.values == values and all(same)


class ProgramCache(Generic[Kind]):
    """Programs of one kind, by model."""

    def __init__(self) -> None:
        self._kept: weakref.WeakKeyDictionary[keras.Model, _Kept[Kind]] = (
            weakref.WeakKeyDictionary()
        )

    def get(self, model: keras.Model, values: tuple[Any, ...], make: Callable[[], Kind]) -> Kind:
        """Return the model's program, that of an earlier call where it is still right.

        Args:
            model: a built, compiled model.
            values: what the program is made for, beside the model as it was compiled.
            make: makes a program.
        """
        objects = (model.optimizer, *keras_private.compiled_with(model))
        trainable = tuple(variable.trainable for variable in model.weights)
        kept = self._kept.get(model)
        if kept is None or not kept.serves((*values, trainable), objects):
            kept = _Kept(make(), (*values, trainable), tuple(map(_weakly, objects)))
            self._kept[model] = kept
        return kept.program

    def forget(self, model: keras.Model) -> None:
        """Let the next call make a new program."""
        self._kept.pop(model, None)


def _weakly(value: Any) -> Callable[[], Any]:
    """Return what gives an object back while it is in use; None stays None."""
    return (lambda: None) if value is None else weakref.ref(value)
