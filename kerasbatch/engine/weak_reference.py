"""Weak references: also to None, and to the models of programs."""

import weakref
from collections.abc import Callable
from typing import Any

import keras


def weak_reference(value: Any) -> Callable[[], Any]:
    """Return a weak reference to an object; for None, a function that returns None."""
    return _none if value is None else weakref.ref(value)


def live_model(reference: Callable[[], keras.Model | None]) -> keras.Model:
    """Return the model of a weak reference.

    Raises:
        ReferenceError: if it is gone.
    """
    model = reference()
    if model is None:
        raise ReferenceError("the model of this program is gone")
    return model


def _none() -> None:
    """Return None."""
