"""spec.model + optimizer + loss -> a built, compiled Keras model.

Classes are taken by name from the allow-list in `keras_names` and called with the arguments of the
spec; nothing is ever deserialised. What Keras refuses comes out as a fault at its place in the
spec.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kerasbatch.data.preprocessing import Standardization
from kerasbatch.data.run_data import RunData
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.presets import PRESETS
from kerasbatch.models.target_scaling import unscale_metric
from kerasbatch.models.warmup import WarmUp
from kerasbatch.spec import keras_registry, user_code
from kerasbatch.spec.fields import NamedObject
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import LayerModel, PythonModel
from kerasbatch.spec.trust import Access
from kerasbatch.text import shortened

_SELF_ATTENTION_PAIR = ("Attention", "AdditiveAttention")


def build_model(spec: Spec, data: RunData, rate: LearningRate, access: Access) -> keras.Model:
    """Build and compile the model of a single-run spec, with weights drawn by its seed.

    Args:
        spec: a single-run spec.
        data: its data.
        rate: the learning rate, by the spec's rule.
        access: what the spec may reach.

    Raises:
        SpecError: if Keras refuses a layer, an argument or their combination.
    """
    keras.utils.set_random_seed(spec.seed)
    return compile_model(spec, data.input_shape, data.classes, rate, access, data.target_units)


def compile_model(
    spec: Spec,
    input_shape: tuple[int, ...],
    classes: int | None,
    rate: LearningRate,
    access: Access,
    units: Standardization | None,
) -> keras.Model:
    """Build and compile as `build` does, with weights drawn by whatever seeds are in force.

    Args:
        spec: a single-run spec.
        input_shape: the shape of one example.
        classes: the number of classes, or None where the target is a number.
        rate: the learning rate, by the spec's rule.
        access: what the spec may reach.
        units: by what the target is standardized, or None; metrics are told in its own units.
    """
    with _precision(spec.precision):
        model = _model(spec, input_shape, classes, access)
    metrics = [_metric(metric, ("metrics", i)) for i, metric in enumerate(spec.metrics)]
    model.compile(
        optimizer=make_optimizer(spec, rate),
        loss=_loss(spec.loss),
        metrics=metrics if units is None else [unscale_metric(metric, units) for metric in metrics],
    )
    return model


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _model(
    spec: Spec, input_shape: tuple[int, ...], classes: int | None, access: Access
) -> keras.Model:
    if isinstance(spec.model, LayerModel):
        return _from_layers(spec.model.layers, input_shape)
    if isinstance(spec.model, PythonModel):
        return _from_python(spec.model.python, input_shape, classes, access)
    layers = PRESETS[spec.model.preset](input_shape, classes)
    return keras.Sequential([keras.Input(input_shape), *layers], name=spec.model.preset)


def _from_python(
    name: str, input_shape: tuple[int, ...], classes: int | None, access: Access
) -> keras.Model:
    location: Location = ("model", "python")
    model = user_code.call(name, access, location, input_shape, classes)
    if not isinstance(model, keras.Model):
        found = type(model).__name__
        message = f"{name} returned {found}; must return an uncompiled keras.Model"
        raise SpecError.at(location, message)
    if not model.built:
        with keras_refusals(location):
            model.build((None, *input_shape))
    return model


def _from_layers(layers: tuple[Any, ...], input_shape: tuple[int, ...]) -> keras.Model:
    inputs = outputs = keras.Input(input_shape)
    for number, written in enumerate(layers):
        location: Location = ("model", "layers", number)
        name = written if isinstance(written, str) else next(iter(written))
        layer = _layer(written, location)
        below = location if isinstance(written, str) else (*location, name)
        with keras_refusals(below, _channels(name, tuple(outputs.shape[1:]))):
            if name in _SELF_ATTENTION_PAIR:
                outputs = layer([outputs, outputs])
            elif name == "MultiHeadAttention":
                outputs = layer(outputs, outputs)
            else:
                outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _channels(layer: str, shape: tuple[int, ...]) -> str:
    """Say how images without channels get them, which the layers for images need."""
    if len(shape) != 2 or "2D" not in layer:
        return ""
    return (
        f"; these images have no channels: put Reshape: {{target_shape: {[*shape, 1]}}} before it"
    )


def _layer(written: Any, location: Location) -> keras.layers.Layer:
    if isinstance(written, str):
        name, arguments = written, {}
    else:
        ((name, arguments),) = written.items()
        location = (*location, name)
    values = _values(keras_registry.with_floats("layers", name, arguments or {}), location)
    with keras_refusals(location):
        return getattr(keras.layers, name)(**values)


def _values(arguments: dict[str, Any], location: Location) -> dict[str, Any]:
    """Make the values of arguments: nested layers, and initializers and their like with names."""
    return {name: _value(name, value, (*location, name)) for name, value in arguments.items()}


def _value(argument: str, value: Any, location: Location) -> Any:
    if argument in ("layer", "backward_layer"):
        return _layer(value, location)
    section = keras_registry.value_section(argument)
    if section is None or not isinstance(value, dict):
        return tuple(value) if isinstance(value, list) else value
    arguments = dict(value)
    known = keras_registry.class_name(section, arguments.pop("name"))
    module = keras.optimizers.schedules if section == "schedules" else getattr(keras, section)
    with keras_refusals(location):
        arguments = keras_registry.with_floats(section, str(known), arguments)
        return getattr(module, str(known))(**_values(arguments, location))


def make_optimizer(spec: Spec, rate: LearningRate) -> keras.optimizers.Optimizer:
    """Make the optimizer of a spec with its learning rate."""
    location: Location = ("optimizer",)
    known = str(keras_registry.class_name("optimizers", spec.optimizer.name))
    given = keras_registry.with_floats("optimizers", known, spec.optimizer.arguments)
    arguments = _values(given, location)
    if rate.value is not None:
        warming = rate.warmup_steps and WarmUp(rate.value, rate.warmup_steps)
        arguments["learning_rate"] = warming or rate.value
    with keras_refusals(location):
        return getattr(keras.optimizers, known)(**arguments | rate.arguments)


@keras.saving.register_keras_serializable(package="kerasbatch")  # type: ignore[untyped-decorator]  # Keras has no types
def half_mse(y_true: Any, y_pred: Any) -> Any:
    """Return the notes' J, half the mean squared error: 1/(2m) * sum (h(x_i) - y_i)^2."""
    return 0.5 * keras.losses.mean_squared_error(y_true, y_pred)


def _loss(loss: NamedObject) -> Any:
    if loss.name == "half_mse":
        return half_mse
    known = str(keras_registry.class_name("losses", loss.name))
    with keras_refusals(("loss",)):
        return getattr(keras.losses, known)(
            **_values(keras_registry.with_floats("losses", known, loss.arguments), ("loss",))
        )


def _metric(metric: NamedObject, location: Location) -> Any:
    if metric.name in keras_registry.CHOSEN_METRICS:
        return metric.name  # Keras chooses the kind of accuracy by the shape of the labels
    known = str(keras_registry.class_name("metrics", metric.name))
    with keras_refusals(location):
        given = keras_registry.with_floats("metrics", known, metric.arguments)
        values = _values(given, location)
        return getattr(keras.metrics, known)(name=metric.name, **values)


@contextlib.contextmanager
def keras_refusals(location: Location, advice: str = "") -> Iterator[None]:
    """Turn what Keras raises into a fault at its place in the spec, with what to write instead."""
    try:
        yield
    except SpecError:
        raise
    except Exception as error:  # Keras raises whatever its checks and TensorFlow's do
        text = " ".join(str(error).split()) or type(error).__name__
        raise SpecError.at(
            location, f"Keras refuses this: {shortened(text, 400)}{advice}"
        ) from error
