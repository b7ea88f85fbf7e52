"""Traced functions that models of one configuration share, so that a new one compiles nothing.

They are kept in the global state of Keras: `keras.utils.clear_session` lets go of them.
"""

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import keras

from kerasbatch.engine import keras_private
from kerasbatch.engine.model_state import MAX_KEPT_BYTES
from kerasbatch.engine.program.configuration import configuration

MAX_KEPT = 8
"""The number of configurations whose functions are kept."""
_NAME = "kerasbatch_functions"


class SharedFunctions(Protocol):
    """Functions that several models may use, one at a time."""

    size: int
    """The bytes that they keep."""

    @property
    def can_be_bound(self) -> bool:
        """True if the model's variables are all that they use."""

    def release_if_unused(self) -> None:
        """Let go of the variables of a model that is gone."""


Kept = OrderedDict[Any, SharedFunctions]
Functions = TypeVar("Functions", bound=SharedFunctions)


def functions_for(
    model: keras.Model, settings: tuple[Any, ...], make: Callable[[], Functions]
) -> Functions:
    """Return functions of a model of the same configuration, or new ones.

    Args:
        model: a built, compiled model.
        settings: the rest that the functions depend on.
        make: returns new functions.
    """
    text = configuration(model)
    if text is None:
        return make()
    kept = keras_private.global_state(_NAME, Kept)
    key = text, settings
    functions = kept.pop(key, None)
    if functions is None or not functions.can_be_bound:
        functions = make()
    kept[key] = functions
    while len(kept) > MAX_KEPT or sum(each.size for each in kept.values()) > MAX_KEPT_BYTES:
        kept.popitem(last=False)
    weakref.finalize(model, _release, weakref.ref(functions)).atexit = False
    return cast("Functions", functions)


def _release(functions: "weakref.ref[SharedFunctions]") -> None:
    if (present := functions()) is not None:
        present.release_if_unused()
