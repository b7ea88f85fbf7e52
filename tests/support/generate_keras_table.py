"""Generate the shipped table of Keras names: `python tests/support/generate_keras_table.py`.

The table lists the classes that a spec may name and the arguments of their constructors, so that
a spec can be checked without importing Keras. It is an allow-list: a layer that runs code, reads
files or needs adapting to data first (Lambda, TFSMLayer, StringLookup and their like) is not in
it. A test compares the table with the installed Keras; `names` reads it.
"""

import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "kerasbatch/spec/keras_table.json"

LAYERS = [
    "Activation",
    "ActivityRegularization",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dropout",
    "ELU",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GRU",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "Identity",
    "LSTM",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "MultiHeadAttention",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "SeparableConv1D",
    "SeparableConv2D",
    "SimpleRNN",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
# Merging layers take several inputs, which a list of layers cannot give. The attention layers get
# their one input as query and value: self-attention.

OPTIMIZERS = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "SGD",
]
# Others read or write files, need code, or change what an evaluation sees (SwapEMAWeights).
CALLBACKS = ["EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau", "TerminateOnNaN"]
NOT_LOSSES = {"Loss", "LossFunctionWrapper", "CTC"}
NOT_METRICS = {"Metric", "MeanMetricWrapper", "Mean", "Sum"}
NOT_INITIALIZERS = {"Initializer", "STFT", "STFTInitializer", "stft"}
# Arguments that a spec cannot give a meaning to, or that hold objects instead of values.
NOT_ARGUMENTS = {"self", "args", "kwargs", "name", "quantization_config", "loss_scale_factor"}


def generate_table() -> dict[str, Any]:
    """Build the table from the installed Keras."""
    import keras

    schedules = keras.optimizers.schedules
    return {
        "keras": keras.__version__,
        "layers": _arguments(keras.layers, LAYERS, extra=["dtype", "trainable"]),
        "optimizers": _arguments(keras.optimizers, OPTIMIZERS),
        "callbacks": _arguments(keras.callbacks, CALLBACKS, drop={"verbose", "raise_error"}),
        "schedules": _arguments(
            schedules, _classes(schedules, schedules.LearningRateSchedule, {"LearningRateSchedule"})
        ),
        "losses": _arguments(
            keras.losses, _classes(keras.losses, keras.losses.Loss, NOT_LOSSES), drop={"reduction"}
        ),
        "metrics": _arguments(
            keras.metrics, _classes(keras.metrics, keras.metrics.Metric, NOT_METRICS)
        ),
        "initializers": _arguments(
            keras.initializers,
            _classes(keras.initializers, keras.initializers.Initializer, NOT_INITIALIZERS),
        ),
        "regularizers": _arguments(
            keras.regularizers,
            _classes(keras.regularizers, keras.regularizers.Regularizer, {"Regularizer"}),
        ),
        "constraints": _arguments(
            keras.constraints,
            _classes(keras.constraints, keras.constraints.Constraint, {"Constraint"}),
        ),
        "activations": {
            name: {"required": [], "optional": {}}
            for name in sorted(vars(keras.activations))
            if inspect.isfunction(getattr(keras.activations, name))
            and name not in {"get", "serialize", "deserialize"}
        },
        "aliases": {
            "losses": _aliases(keras.losses, NOT_LOSSES),
            "metrics": _aliases(keras.metrics, NOT_METRICS),
        },
    }


def _classes(module: Any, base: type, exclude: Iterable[str]) -> list[str]:
    names = (name for name, value in vars(module).items() if inspect.isclass(value))
    return sorted(
        name for name in names if issubclass(getattr(module, name), base) and name not in exclude
    )


def _arguments(
    module: Any, names: Iterable[str], extra: Iterable[str] = (), drop: Iterable[str] = ()
) -> dict[str, Any]:
    found = {}
    for name in names:
        signature = inspect.signature(getattr(module, name).__init__).parameters
        known = {k: p for k, p in signature.items() if k not in NOT_ARGUMENTS | set(drop)}
        optional = {k: _plain(p.default) for k, p in known.items() if p.default is not p.empty}
        found[name] = {
            "required": [k for k, p in known.items() if p.default is p.empty],
            "optional": optional | {k: None for k in extra if k not in known},
        }
    return found


def _plain(default: object) -> object:
    return default if isinstance(default, str | int | float | bool | None) else None


def _aliases(module: Any, exclude: Iterable[str]) -> Mapping[str, str]:
    """Map the other spellings that Keras accepts (`mse`, `mean_squared_error`) to classes."""
    from keras.src.utils.naming import to_snake_case

    registry = inspect.getmodule(module.get).ALL_OBJECTS_DICT  # type: ignore[union-attr]
    by_snake = {
        to_snake_case(value.__name__): value.__name__
        for value in registry.values()
        if inspect.isclass(value)
    }
    aliases = {}
    for alias, value in registry.items():
        target = by_snake.get(to_snake_case(value.__name__))
        if target and target not in exclude and alias != target:
            aliases[alias] = target
    return dict(sorted(aliases.items()))


def main() -> None:
    """Write the table into the package."""
    TABLE.write_text(json.dumps(generate_table(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
