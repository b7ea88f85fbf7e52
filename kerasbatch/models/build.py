"""spec.model + optimizer + loss -> a built, compiled Keras model.

Classes are looked up by name in the allow-list of `keras_registry` and called with the arguments of
the spec; nothing is deserialized. An error of Keras becomes a fault at its place in the spec.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import keras

from kerasbatch.array_trees import Shape, are_several, mapped_shape
from kerasbatch.data.encoding.preprocessing import Standardization
from kerasbatch.data.run_data import RunData
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.class_metrics import (
    ONE_OF_EACH_CLASS,
    THRESHOLD,
    accuracy,
    fitted_metric,
    speaks_of_one_class,
)
from kerasbatch.models.own_model import model_of_function, passed_model
from kerasbatch.models.presets import PRESETS
from kerasbatch.models.rate_schedule import rate_schedule
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.models.target_scaling import unscale_metric
from kerasbatch.spec import keras_registry
from kerasbatch.spec.fields import NamedObject
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
    return compile_model(spec, data.input_shape, data.classes, rate, access, data.target_units)


def compile_model(
    spec: Spec,
    input_shape: Shape,
    classes: int | None,
    rate: LearningRate,
    access: Access,
    units: Standardization | None,
) -> keras.Model:
    """Build and compile like `build_model`, with weights drawn by the current seeds.

    Args:
        spec: a single-run spec.
        input_shape: the shape of one example, or of each of its inputs by name.
        classes: the number of classes, or None where the target is a number.
        rate: the learning rate, by the spec's rule.
        access: the files and code that the spec may use.
        units: the standardization of the target, or None; metrics are in its own units.
    """
    with _precision_policy(spec.precision):
        model = _model(spec, input_shape, classes, access)
    shape = _output_shape(model, input_shape)
    metrics = [_metric(spec, shape, i) for i in range(len(spec.metrics))]
    model.compile(
        optimizer=make_optimizer(spec, rate),
        loss=_loss(spec.loss),
        metrics=metrics if units is None else [unscale_metric(metric, units) for metric in metrics],
    )
    return model


def _output_shape(model: keras.Model, input_shape: Shape) -> tuple[int, ...]:
    """Return the shape of the output for one example; empty if there are several outputs."""
    outputs = getattr(model, "output_shape", None)
    if outputs is None:  # a subclass of Model knows it only when it is called
        with keras_refusals(("model",)):
            example = mapped_shape(lambda shape: keras.KerasTensor((None, *shape)), input_shape)
            outputs = getattr(model.compute_output_spec(example), "shape", None)
    return tuple(outputs[1:]) if isinstance(outputs, tuple) else ()


@contextlib.contextmanager
def _precision_policy(policy: str) -> Iterator[None]:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def _model(spec: Spec, input_shape: Shape, classes: int | None, access: Access) -> keras.Model:
    if isinstance(spec.model, PythonModel):
        return model_of_function(spec.model.python, input_shape, classes, access)
    if isinstance(spec.model, ObjectModel):
        return passed_model(spec.model.object, input_shape, classes, access)
    if are_several(input_shape):
        named = input_shape if isinstance(input_shape, dict) else dict(enumerate(input_shape))
        inputs = " and ".join(f"{name} of shape {each}" for name, each in named.items())
        message = f"these data have several inputs, {inputs}; write the model as a Python function"
        raise SpecError.at(("model",), f"{message} with a keras.Input of each name")
    shape = cast("tuple[int, ...]", input_shape)
    if isinstance(spec.model, LayerModel):
        return _from_layers(spec.model.layers, shape)
    layers = PRESETS[spec.model.preset](shape, classes)
    return keras.Sequential([keras.Input(shape), *layers], name=spec.model.preset)


def _from_layers(layers: tuple[Any, ...], input_shape: tuple[int, ...]) -> keras.Model:
    inputs = outputs = keras.Input(input_shape)
    for number, layer_spec in enumerate(layers):
        location: Location = ("model", "layers", number)
        name = layer_spec if isinstance(layer_spec, str) else next(iter(layer_spec))
        layer = _layer(layer_spec, location)
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


def _layer(layer_spec: Any, location: Location) -> keras.layers.Layer:
    if isinstance(layer_spec, str):
        name, arguments = layer_spec, {}
    else:
        ((name, arguments),) = layer_spec.items()
        location = (*location, name)
    values = _values(keras_registry.with_floats("layers", name, arguments or {}), location)
    with keras_refusals(location):
        return getattr(keras.layers, name)(**values)


def _values(arguments: dict[str, Any], location: Location) -> dict[str, Any]:
    """Return the values of arguments: nested layers, and named initializers and the like."""
    return {name: _value(name, value, (*location, name)) for name, value in arguments.items()}


def _value(argument: str, value: Any, location: Location) -> Any:
    if argument in ("layer", "backward_layer"):
        return _layer(value, location)
    section = keras_registry.value_section(argument)
    if section is None or not isinstance(value, dict):
        return tuple(value) if isinstance(value, list) else value
    arguments = dict(value)
    class_name = keras_registry.class_name(section, arguments.pop("name"))
    module = keras.optimizers.schedules if section == "schedules" else getattr(keras, section)
    with keras_refusals(location):
        arguments = keras_registry.with_floats(section, str(class_name), arguments)
        return getattr(module, str(class_name))(**_values(arguments, location))


def make_optimizer(spec: Spec, rate: LearningRate) -> keras.optimizers.Optimizer:
    """Return the optimizer of a spec with its learning rate."""
    location: Location = ("optimizer",)
    class_name = str(keras_registry.class_name("optimizers", spec.optimizer.name))
    options = keras_registry.with_floats("optimizers", class_name, spec.optimizer.arguments)
    arguments = _values(options, location)
    if rate.value is not None:
        arguments["learning_rate"] = rate_schedule(rate) or rate.value
    with keras_refusals(location):
        return getattr(keras.optimizers, class_name)(**arguments | rate.arguments)


@keras.saving.register_keras_serializable(package="kerasbatch")  # type: ignore[untyped-decorator]  # Keras has no types
def half_mse(y_true: Any, y_pred: Any) -> Any:
    """Return half the mean squared error: 1/(2m) * sum (h(x_i) - y_i)^2."""
    return 0.5 * keras.losses.mean_squared_error(y_true, y_pred)


def _loss(loss: NamedObject) -> Any:
    if loss.name == "half_mse":
        return half_mse
    class_name = str(keras_registry.class_name("losses", loss.name))
    with keras_refusals(("loss",)):
        return getattr(keras.losses, class_name)(
            **_values(keras_registry.with_floats("losses", class_name, loss.arguments), ("loss",))
        )


def _metric(spec: Spec, output: tuple[int, ...], number: int) -> Any:
    """Return a metric of a spec, for a model with outputs of a shape."""
    metric, location = spec.metrics[number], ("metrics", number)
    kind = keras_registry.label_kind(spec.loss.name)
    outputs = output[-1] if output else 1
    is_list = len(output) <= 1 and kind != "number"
    if metric.name in keras_registry.CHOSEN_METRICS:
        if not is_list:
            return metric.name  # Keras chooses the kind of accuracy by the shape of the labels
        chosen = accuracy(kind, outputs)
    else:
        class_name = str(keras_registry.class_name("metrics", metric.name))
        with keras_refusals(location):
            options = keras_registry.with_floats("metrics", class_name, metric.arguments)
            single = outputs == 1 or (
                outputs == 2 and kind != "binary" and speaks_of_one_class(class_name, options)
            )
            if class_name in ONE_OF_EACH_CLASS and single and is_list:
                options = {"threshold": THRESHOLD} | options  # Keras takes the largest of one
            values = _values(options, location)
            chosen = getattr(keras.metrics, class_name)(name=metric.column, **values)
        if not is_list:
            return chosen
    return fitted_metric(chosen, spec.loss.name, spec.loss.arguments, outputs)
