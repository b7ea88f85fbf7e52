"""The identity of a `fit`: the parts that must be equal for going on from a checkpoint.

Names that Keras numbers across the process are replaced by positions, so that a cell of a notebook
that runs again has the same identity.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kerasbatch.engine import keras_private
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.spec.passed.fingerprint import UnknownContentError, fingerprint

_ARGUMENTS = (
    "batch_size",
    "shuffle",
    "class_weight",
    "validation_split",
    "validation_batch_size",
    "validation_steps",
    "validation_freq",
    "initial_epoch",
)
"""The arguments of `fit` that change numbers; more epochs are the same training."""
_PLACES = ("filepath", "filename", "log_dir", "backup_dir", "path", "root")
"""The arguments of callbacks that name a file."""
_OPTIMIZER, _RATE = keras.optimizers.Optimizer, "learning_rate"
_NOT_COMPARED = ("build_config", "build_input_shape", "seed", _RATE)
"""The keys of a configuration that appear when a model is built, are drawn, or change later."""
_LAMBDA = "__lambda__"
"""A function as Keras stores it, with its place in a file."""
_UNKNOWN = "unknown: "


def fit_identity(
    model: keras.Model, arguments: FitArguments, ours: Mapping[str, Any]
) -> dict[str, str]:
    """Return a hash of every part of a training that changes its numbers, by its name.

    Args:
        model: a compiled model, before its training.
        arguments: the arguments of `fit`.
        ours: our own arguments.
    """
    callbacks = keras.tree.flatten(arguments.callbacks or [])
    settings = {name: getattr(arguments, name) for name in _ARGUMENTS}
    return {
        "data": fingerprint([arguments.x, arguments.y, arguments.sample_weight]),
        "validation_data": _hash(arguments.validation_data),
        "model": _hash(_model_content(model)),
        "arguments of compile": _hash(_compile_content(model)),
        **_learning_rates(model),
        "callbacks": _hash([type(callback).__name__ for callback in callbacks]),
        **{
            f"arguments or code of {type(callback).__name__} (callback {number})": _hash(
                _callback_content(callback)
            )
            for number, callback in enumerate(callbacks)
        },
        **{name: _hash(value) for name, value in settings.items()},
        "jit_compile": _hash(ours.get("jit_compile")),
    }


def unknown_parts(identity: Mapping[str, str]) -> list[str]:
    """Return the parts of an identity with contents that cannot be compared, such as datasets."""
    return [name for name, content in identity.items() if content.startswith(_UNKNOWN)]


def _hash(value: Any) -> str:
    """Return a hash of an object; of what has unknown contents, that of its type, marked."""
    try:
        return fingerprint(value)
    except UnknownContentError:
        if isinstance(value, Mapping):
            parts = [_hash([key, part]) for key, part in value.items()]
        elif isinstance(value, list | tuple):
            parts = [_hash(part) for part in value]
        else:
            parts = [type(value).__qualname__]
        return _UNKNOWN + fingerprint(parts)


def _model_content(model: keras.Model) -> list[Any]:
    """Return the layers of a model with their code, their arguments and their connections."""
    every = keras_private.all_layers(model)
    layers = [layer for layer in every if not _is_input(layer)]  # a Sequential builds its own
    inputs = [layer for layer in every if _is_input(layer)]
    numbers = {layer.name: f"layer {number}" for number, layer in enumerate(layers)}
    numbers |= {layer.name: f"input {number}" for number, layer in enumerate(inputs)}
    try:
        with keras_private.without_tensorflow():
            config = model.get_config()
    except NotImplementedError:  # a subclass of Model without one
        config = {}
    functions = [layer.function for layer in layers if isinstance(layer, keras.layers.Lambda)]
    return [[type(layer) for layer in layers], functions, _portable(config, numbers)]


def _compile_content(model: keras.Model) -> list[Any]:
    """Return the arguments of compile, and the optimizers with their code and arguments."""
    options = {
        name: None if isinstance(value, _OPTIMIZER) else value
        for name, value in model._compile_config.config.items()
    }
    optimizers = _optimizers(model)
    numbers = {optimizer.name: f"optimizer {k}" for k, optimizer in enumerate(optimizers)}
    return [
        options,
        *(
            [type(optimizer), _portable(optimizer.get_config(), numbers)]
            for optimizer in optimizers
        ),
    ]


def _optimizers(model: keras.Model) -> list[Any]:
    """Return the optimizers of a model, of which a custom step may have several."""
    own = [value for value in vars(model).values() if isinstance(value, _OPTIMIZER)]
    inner = (getattr(optimizer, "inner_optimizer", None) for optimizer in own)
    return [*own, *(optimizer for optimizer in inner if optimizer is not None)]


def _learning_rates(model: keras.Model) -> dict[str, str]:
    """Return the learning rates, unless steps were taken: then a callback may have changed them."""
    optimizers = _optimizers(model)
    if any(keras_private.batches_counted(optimizer) for optimizer in optimizers):
        return {}
    rates = [optimizer.get_config().get(_RATE) for optimizer in optimizers]
    return {"learning rate": _hash(rates)}


def _is_input(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.InputLayer)


def _portable(config: Any, numbers: Mapping[str, str]) -> Any:
    """Return a configuration with positions for names, and without what building adds."""
    if isinstance(config, Mapping):
        if config.get("class_name") == _LAMBDA:
            return _LAMBDA
        items = ((key, value) for key, value in config.items() if key not in _NOT_COMPARED)
        return {key: _portable(value, numbers) for key, value in items}
    if isinstance(config, Sequence) and not isinstance(config, str):
        kept = (item for item in config if not _is_input_config(item))
        return [_portable(item, numbers) for item in kept]
    return numbers.get(config, config) if isinstance(config, str) else config


def _is_input_config(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("class_name") == "InputLayer"


def _callback_content(callback: keras.callbacks.Callback) -> Any:
    """Return the class of a callback, and the arguments that it was made with.

    Of attributes, only those count that have the name of an argument; Keras negates `min_delta` at
    the first result.
    """
    names = dict.fromkeys(
        name
        for kind in type(callback).__mro__
        for name in inspect.signature(kind).parameters
        if name not in _PLACES
    )
    values = {name: vars(callback)[name] for name in names if name in vars(callback)}
    return [
        type(callback),
        {name: abs(value) if isinstance(value, float) else value for name, value in values.items()},
    ]
