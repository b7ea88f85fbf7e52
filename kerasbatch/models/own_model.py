"""Models of the user's own code: from a function in a file, or passed from Python."""

import weakref
from typing import Any

import keras

from kerasbatch.array_trees import Shape, are_several, mapped_shape
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.example_layout import ExampleLayout
from kerasbatch.models.refusals import keras_refusals, passed_code_errors
from kerasbatch.spec.call_arguments import ARGUMENTS, call_with
from kerasbatch.spec.section_schema import ObjectModel, PythonModel
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted
from kerasbatch.user_code import calls

_RETURNED: "weakref.WeakSet[keras.Model]" = weakref.WeakSet()
"""The models that code of the user returned; each belongs to one training."""
_LAYERS: "weakref.WeakSet[keras.layers.Layer]" = weakref.WeakSet()
"""The layers of these models."""
_OPTIMIZERS: "weakref.WeakSet[keras.optimizers.Optimizer]" = weakref.WeakSet()
"""The optimizers of these models."""


def model_of_function(written: PythonModel, layout: ExampleLayout, access: Access) -> keras.Model:
    """Return the model that a function of a file returns: `file.py:function`.

    Raises:
        SpecError: without trust, or if the function returns no model.
    """
    location: Location = ("model", "python")
    arguments = written.arguments or {}
    model = calls.call(written.python, access, location, layout.context(), arguments)
    return _built(model, written.python, layout.input_shape, location)


def is_function(written: Any, access: Access) -> bool:
    """Return whether a model of a spec is a function that Python code passed."""
    if not isinstance(written, ObjectModel):
        return False
    return not isinstance(access.objects.get(written.object, ("model",)), keras.Model)


def passed_model(written: ObjectModel, layout: ExampleLayout, access: Access) -> keras.Model:
    """Return what a passed function builds, or a copy of a passed model with its weights.

    Raises:
        SpecError: if it was not passed, or returns no model.
    """
    location: Location = ("model",)
    name, arguments = written.object, written.arguments or {}
    passed = access.objects.get(name, location)
    if isinstance(passed, keras.Model):
        if arguments:
            message = "a model that is built already takes no arguments; pass a function"
            raise SpecError.at((*location, ARGUMENTS), message)
        copy = access.objects.copy(name, location)
        if copy.compiled:  # its weights begin the training, and the state of its optimizer does not
            options = dict(copy._compile_config.config)
            fresh = type(copy.optimizer).from_config(copy.optimizer.get_config())
            copy.compile(**options | {"optimizer": fresh})
        return _built(copy, name, layout.input_shape, location)
    with passed_code_errors(name, location):
        model = call_with(passed, layout.context(), arguments, location)
    return _built(model, name, layout.input_shape, location)


def _built(model: Any, name: str, input_shape: Shape, location: Location) -> keras.Model:
    if not isinstance(model, keras.Model):
        returned = type(model).__name__
        message = f"{name} returned {returned}; must return a keras.Model"
        raise SpecError.at(location, message)
    if model in _RETURNED:
        message = f"{name} returned the same model again; build it inside the function"
        raise SpecError.at(location, message)
    _refuse_trained(model, name, location)
    _RETURNED.add(model)
    if not model.built:
        with keras_refusals(location):
            if isinstance(model, keras.Sequential) and not are_several(input_shape):
                model.build((None, *input_shape))
            else:  # `build` of a subclass leaves its layers unbuilt, with a warning
                model(mapped_shape(lambda shape: keras.ops.zeros((1, *shape)), input_shape))
    return model


def _refuse_trained(model: keras.Model, name: str, location: Location) -> None:
    """Raise an error for a model that was trained, or that trains layers of an earlier one."""
    optimizer = model.optimizer if model.compiled else None
    steps = 0 if optimizer is None else int(optimizer.iterations)
    if steps:
        message = f"{name} returned a model that was trained for {counted(steps, 'step')}; "
        raise SpecError.at(location, f"{message}build it, and leave the training to the run")
    if optimizer is not None and optimizer in _OPTIMIZERS:
        message = f"{name} compiled the model with an optimizer of an earlier one; make it inside"
        raise SpecError.at(location, f"{message} the function")
    layers = list(model._flatten_layers(include_self=False))
    shared = [layer.name for layer in layers if layer in _LAYERS and layer.trainable_weights]
    if shared:
        message = f"{name} returned a model with the layer {shared[0]} of an earlier one, which is "
        raise SpecError.at(location, f"{message}trained; make it inside the function")
    _LAYERS.update(layers)
    if optimizer is not None:
        _OPTIMIZERS.add(optimizer)
