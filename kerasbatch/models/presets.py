"""The preset models of a spec: linear, mlp, cnn."""

from collections.abc import Callable

import keras

from kerasbatch.errors import SpecError
from kerasbatch.models.example_layout import ExampleLayout
from kerasbatch.spec.section_schema import Preset

# With Keras' own padding, the two convolutions and poolings of `cnn` need 10 pixels a side.
SMALLEST_VALID_IMAGE = 10


def _output(layout: ExampleLayout) -> keras.layers.Layer:
    # float32 with every precision: a softmax in bfloat16 loses small probabilities.
    activation = None if layout.classes is None else "softmax"
    return keras.layers.Dense(layout.outputs, activation=activation, dtype="float32")


def _linear(input_shape: tuple[int, ...], layout: ExampleLayout) -> list[keras.layers.Layer]:
    units = layout.outputs if layout.classes is None else 1
    return [keras.layers.Dense(units, dtype="float32")]


def _mlp(input_shape: tuple[int, ...], layout: ExampleLayout) -> list[keras.layers.Layer]:
    layers = keras.layers
    return [layers.Flatten(), layers.Dense(128, activation="relu"), _output(layout)]


def _cnn(input_shape: tuple[int, ...], layout: ExampleLayout) -> list[keras.layers.Layer]:
    if len(input_shape) not in (2, 3):
        message = f"cnn needs images, and these examples have shape {input_shape}; write mlp"
        raise SpecError.at(("model",), message)
    layers = keras.layers
    small = min(input_shape[:2]) < SMALLEST_VALID_IMAGE
    padding = "same" if small else "valid"
    channels = [layers.Reshape((*input_shape, 1))] if len(input_shape) == 2 else []
    return [
        *channels,
        layers.Conv2D(32, 3, activation="relu", padding=padding),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu", padding=padding),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        _output(layout),
    ]


PRESETS: dict[Preset, Callable[[tuple[int, ...], ExampleLayout], list[keras.layers.Layer]]] = {
    "linear": _linear,
    "mlp": _mlp,
    "cnn": _cnn,
}
"""The functions that make the layers, for the shape of an example and its layout."""
