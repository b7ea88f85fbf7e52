"""Objects of Keras by the names and arguments of a spec.

Classes are looked up by name in the allow-list of `keras_registry` and called with the arguments of
the spec; nothing is deserialized. An error of Keras becomes a fault at its place in the spec.
"""

from typing import Any

import keras

from kerasbatch.errors import Location
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.spec import keras_registry


def make_layer(layer_spec: Any, location: Location) -> keras.layers.Layer:
    """Return a layer of a spec, `Flatten` or `Dense: {units: 10}`."""
    if isinstance(layer_spec, str):
        name, arguments = layer_spec, {}
    else:
        ((name, arguments),) = layer_spec.items()
        location = (*location, name)
    values = argument_values(keras_registry.with_floats("layers", name, arguments or {}), location)
    with keras_refusals(location):
        return getattr(keras.layers, name)(**values)


def argument_values(arguments: dict[str, Any], location: Location) -> dict[str, Any]:
    """Return the values of arguments: nested layers, and named initializers and the like."""
    return {name: _value(name, value, (*location, name)) for name, value in arguments.items()}


def _value(argument: str, value: Any, location: Location) -> Any:
    if argument in ("layer", "backward_layer"):
        return make_layer(value, location)
    section = keras_registry.value_section(argument)
    if section is None or not isinstance(value, dict):
        return tuple(value) if isinstance(value, list) else value
    arguments = dict(value)
    class_name = keras_registry.class_name(section, arguments.pop("name"))
    module = keras.optimizers.schedules if section == "schedules" else getattr(keras, section)
    with keras_refusals(location):
        arguments = keras_registry.with_floats(section, str(class_name), arguments)
        return getattr(module, str(class_name))(**argument_values(arguments, location))


def named_object(
    section: keras_registry.Section, name: str, arguments: dict[str, Any], location: Location
) -> Any:
    """Return an object of a class in `keras.optimizers`, `keras.losses` or `keras.metrics`.

    Args:
        section: the module.
        name: the name of the class, in any spelling of Keras.
        arguments: its arguments.
        location: its place in the spec.
    """
    class_name = str(keras_registry.class_name(section, name))
    options = keras_registry.with_floats(section, class_name, arguments)
    values = argument_values(options, location)
    with keras_refusals(location):
        return getattr(getattr(keras, section), class_name)(**values)
