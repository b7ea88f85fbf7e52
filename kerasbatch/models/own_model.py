"""Models of the user's own code: from a function in a file, or passed from Python."""

import weakref
from typing import Any

import keras

from kerasbatch.array_trees import Shape, are_several, mapped_shape
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.spec.passed.builders import call_builder
from kerasbatch.spec.trust import Access
from kerasbatch.text import shortened
from kerasbatch.user_code import calls

_RETURNED: "weakref.WeakSet[keras.Model]" = weakref.WeakSet()
"""The models that code of the user returned; each belongs to one training."""


def model_of_function(
    name: str, input_shape: Shape, classes: int | None, access: Access
) -> keras.Model:
    """Return the model that a function of a file returns: `file.py:function`.

    Raises:
        SpecError: without trust, or if the function returns no model.
    """
    location: Location = ("model", "python")
    model = calls.call(name, access, location, input_shape, classes)
    return _built(model, name, input_shape, location)


def passed_model(name: str, input_shape: Shape, classes: int | None, access: Access) -> keras.Model:
    """Return what a passed function builds, or a copy of a passed model with its weights.

    Raises:
        SpecError: if it was not passed, or returns no model.
    """
    location: Location = ("model",)
    passed = access.objects.get(name, location)
    if isinstance(passed, keras.Model):
        return _built(access.objects.copy(name, location), name, input_shape, location)
    try:
        model = call_builder(passed, input_shape, classes)
    except Exception as error:  # the code of the user may raise any type
        text = shortened(" ".join(str(error).split()), 300)
        raise SpecError.at(location, f"{name} failed: {type(error).__name__}: {text}") from error
    return _built(model, name, input_shape, location)


def _built(model: Any, name: str, input_shape: Shape, location: Location) -> keras.Model:
    if not isinstance(model, keras.Model):
        returned = type(model).__name__
        message = f"{name} returned {returned}; must return an uncompiled keras.Model"
        raise SpecError.at(location, message)
    if model in _RETURNED:
        message = f"{name} returned the same model again, with trained weights; build it inside"
        raise SpecError.at(location, f"{message} the function")
    _RETURNED.add(model)
    if not model.built:
        with keras_refusals(location):
            if isinstance(model, keras.Sequential) and not are_several(input_shape):
                model.build((None, *input_shape))
            else:  # `build` of a subclass leaves its layers unbuilt, with a warning
                model(mapped_shape(lambda shape: keras.ops.zeros((1, *shape)), input_shape))
    return model
