"""Weak references, also to None."""

import weakref
from collections.abc import Callable
from typing import Any


def weak_reference(value: Any) -> Callable[[], Any]:
    """Return a weak reference to an object; for None, a function that returns None."""
    return _none if value is None else weakref.ref(value)


def _none() -> None:
    """Return None."""
