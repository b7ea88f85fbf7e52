"""The private API of Keras and TensorFlow for lowering; without it, operations stay native."""

from typing import Any

import keras

from kerasbatch.engine.private_names import PrivateName

_OPERATIONS = "keras.src.backend.tensorflow.nn"
_RANDOM = "keras.src.backend.tensorflow.random"
_SHAPES = "keras.src.backend.common.backend_utils"
_TAPES = "tensorflow.python.eager.record"
OPERATIONS = (
    "max_pool",
    "average_pool",
    "conv",
    "depthwise_conv",
    "separable_conv",
    "conv_transpose",
)
"""Keras' operations that can be lowered."""
RANDOM = ("dropout", "uniform", "normal")
"""Keras' random operations that can be lowered."""
LOWERING_NAMES = (
    *(PrivateName(_OPERATIONS, name, "lower it for XLA") for name in OPERATIONS),
    *(PrivateName(_RANDOM, name, "lower it for XLA") for name in RANDOM),
    PrivateName(_RANDOM, "_cast_seed", "draw the random numbers of its seed"),
    PrivateName(_RANDOM, "draw_seed", "draw the random numbers of its seed"),
    PrivateName("keras.src.backend", "nn", "replace its operations"),
    PrivateName("keras.src.backend", "random", "replace its operations"),
    PrivateName(_SHAPES, "compute_conv_transpose_output_shape", "lower transposed convolutions"),
    PrivateName(_TAPES, "should_record_backprop", "tell whether a gradient is wanted"),
)


def can_lower() -> bool:
    """Return whether the installed Keras has all that lowering needs."""
    return all(part.get() is not None for part in LOWERING_NAMES)


def module(operation: str) -> Any:
    """Return the module of an operation, through which all layers call it."""
    return PrivateName("keras.src.backend", "random" if operation in RANDOM else "nn", "").get()


def draw_seed(seed: Any) -> Any:
    """Return the next two numbers of a seed, as Keras' random operations draw them."""
    drawn = PrivateName(_RANDOM, "draw_seed", "").get()(seed)
    return PrivateName(_RANDOM, "_cast_seed", "").get()(drawn)


def is_on_tape(tensor: Any) -> bool:
    """Return whether a gradient tape watches a tensor."""
    return bool(PrivateName(_TAPES, "should_record_backprop", "").get()([tensor]))


def data_format(name: str | None) -> str:
    """Return a data format, or Keras' default."""
    return name or keras.config.image_data_format()


def transposed_shape(
    inputs: Any,
    kernel: Any,
    strides: Any,
    padding: str,
    output_padding: Any,
    dilation_rate: Any,
) -> tuple[int, ...]:
    """Return the spatial shape of a transposed convolution, for inputs with the channels last."""
    shape = PrivateName(_SHAPES, "compute_conv_transpose_output_shape", "").get()(
        tuple(inputs.shape),
        kernel.shape[:-2],
        kernel.shape[-2],
        strides,
        padding,
        output_padding,
        "channels_last",
        dilation_rate,
    )
    return tuple(shape[1:-1])
