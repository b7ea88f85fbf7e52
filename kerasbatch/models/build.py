"""spec.model + optimizer + loss -> a built, compiled Keras model.

Classes are looked up by name in the allow-list of `keras_registry` and called with the arguments of
the spec; nothing is deserialized. An error of Keras becomes a fault at its place in the spec.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import keras

from kerasbatch.array_trees import Shape, are_several, mapped_shape
from kerasbatch.data.encoding.preprocessing import Standardization
from kerasbatch.data.run_data import RunData
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.compile import Compiler
from kerasbatch.models.example_layout import ExampleLayout, OutputShapes
from kerasbatch.models.freeze import freeze
from kerasbatch.models.keras_objects import make_layer
from kerasbatch.models.output_names import output_names
from kerasbatch.models.own_model import model_of_function, passed_model
from kerasbatch.models.presets import PRESETS
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import LayerModel, ObjectModel, PythonModel
from kerasbatch.spec.trust import Access

_SELF_ATTENTION_PAIR = ("Attention", "AdditiveAttention")


def build_model(spec: Spec, data: RunData, rate: LearningRate, access: Access) -> keras.Model:
    """Build and compile the model of a single-run spec, with weights drawn by its seed.

    Args:
        spec: a single-run spec.
        data: its data.
        rate: the learning rate, by the spec's rule.
        access: the files and code that the spec may use.

    Raises:
        SpecError: if Keras refuses a layer, an argument or their combination.
    """
    keras.utils.set_random_seed(spec.seed)
    classes = data.classes if data.target_classes is None else data.target_classes
    layout = ExampleLayout(data.input_shape, classes, data.outputs)
    return compile_model(spec, layout, rate, access, data.target_units)


def compile_model(
    spec: Spec,
    layout: ExampleLayout,
    rate: LearningRate,
    access: Access,
    units: Standardization | None,
) -> keras.Model:
    """Build and compile like `build_model`, with weights drawn by the current seeds.

    Args:
        spec: a single-run spec.
        layout: the shapes of an example.
        rate: the learning rate, by the spec's rule.
        access: the files and code that the spec may use.
        units: the standardization of the target, or None; metrics are in its own units.
    """
    model = build_uncompiled(spec, layout, access)
    shapes = _output_shapes(model, layout.input_shape)
    Compiler(spec, rate, access, layout, units).compile(model, shapes)
    return model


def build_uncompiled(spec: Spec, layout: ExampleLayout, access: Access) -> keras.Model:
    """Return the model of a spec before `compile`; arguments and errors as in `compile_model`."""
    with _precision_policy(spec.precision):
        model = _model(spec, layout, access)
    if spec.freeze:
        freeze(model, spec.freeze)
    return model


def _output_shapes(model: keras.Model, input_shape: Shape) -> OutputShapes:
    """Return the shape of the output for one example, or those of several outputs by name."""
    shapes = getattr(model, "output_shape", None)
    if shapes is None:  # a subclass of Model knows it only when it is called
        with keras_refusals(("model",)):
            example = mapped_shape(lambda shape: keras.KerasTensor((None, *shape)), input_shape)
            spec = model.compute_output_spec(example)
            shapes = keras.tree.map_structure(lambda tensor: tuple(tensor.shape), spec)
    if isinstance(shapes, dict):
        return {str(name): tuple(shape[1:]) for name, shape in shapes.items()}
    if isinstance(shapes, list):
        names = output_names(model, len(shapes))
        return {name: tuple(shape[1:]) for name, shape in zip(names, shapes, strict=True)}
    return tuple(shapes[1:]) if isinstance(shapes, tuple) else ()


@contextlib.contextmanager
def _precision_policy(policy: str) -> Iterator[None]:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def _model(spec: Spec, layout: ExampleLayout, access: Access) -> keras.Model:
    if isinstance(spec.model, PythonModel):
        return model_of_function(spec.model, layout, access)
    if isinstance(spec.model, ObjectModel):
        return passed_model(spec.model, layout, access)
    input_shape = layout.input_shape
    if are_several(input_shape):
        named = input_shape if isinstance(input_shape, dict) else dict(enumerate(input_shape))
        inputs = " and ".join(f"{name} of shape {each}" for name, each in named.items())
        message = f"these data have several inputs, {inputs}; write the model as a Python function"
        raise SpecError.at(("model",), f"{message} with a keras.Input of each name")
    if isinstance(layout.outputs, Mapping):
        names = " and ".join(layout.outputs)
        message = f"these data have several targets, {names}; write the model as a Python function"
        raise SpecError.at(("model",), f"{message} with an output of each name")
    shape = cast("tuple[int, ...]", input_shape)
    if isinstance(spec.model, LayerModel):
        return _from_layers(spec.model.layers, shape)
    layers = PRESETS[spec.model.preset](shape, layout)
    return keras.Sequential([keras.Input(shape), *layers], name=spec.model.preset)


def _from_layers(layers: tuple[Any, ...], input_shape: tuple[int, ...]) -> keras.Model:
    inputs = outputs = keras.Input(input_shape)
    for number, layer_spec in enumerate(layers):
        location: Location = ("model", "layers", number)
        name = layer_spec if isinstance(layer_spec, str) else next(iter(layer_spec))
        layer = make_layer(layer_spec, location)
        place = location if isinstance(layer_spec, str) else (*location, name)
        with keras_refusals(place, _channels(name, tuple(outputs.shape[1:]))):
            if name in _SELF_ATTENTION_PAIR:
                outputs = layer([outputs, outputs])
            elif name == "MultiHeadAttention":
                outputs = layer(outputs, outputs)
            else:
                outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _channels(layer: str, shape: tuple[int, ...]) -> str:
    """Return the advice to add channels to images for a 2D layer, or an empty text."""
    if len(shape) != 2 or "2D" not in layer:
        return ""
    return (
        f"; these images have no channels: put Reshape: {{target_shape: {[*shape, 1]}}} before it"
    )
