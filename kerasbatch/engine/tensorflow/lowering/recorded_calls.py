"""The operations that layers call through Keras while a model is traced, with their shapes."""

import contextlib
import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering.backend import LOWERED, Operation, replaced
from kerasbatch.engine.tensorflow.lowering.keras_operations import RANDOM, data_format

POOLS = ("max_pool", "average_pool")
DEPTHWISE = ("depthwise_conv", "separable_conv")
TRANSPOSED = 3
"""So many times the patches of a transposed convolution are in memory."""


@dataclass
class RecordedCalls:
    """The calls of a model.

    Args:
        convolutions: their number; a separable one is two.
        patch_bytes: the bytes of their patches, windows by elements by channels; None if one is
            of a length that is known only at run time.
        is_depthwise: whether some of them are of single channels.
        pools: the number of pools.
        random_calls: the number of draws of random numbers in float32.
        random_elements: their elements.
    """

    convolutions: int = 0
    patch_bytes: int | None = 0
    is_depthwise: bool = False
    pools: int = 0
    random_calls: int = 0
    random_elements: int = 0

    def add(self, name: str, arguments: Mapping[str, Any], outputs: Any) -> None:
        """Count a call.

        Args:
            name: the name of Keras' operation.
            arguments: its arguments by their names.
            outputs: its result.
        """
        if name in POOLS:
            self.pools += 1
        elif name in RANDOM:
            if outputs.dtype == tf.float32 and outputs.shape.is_fully_defined():
                self.random_calls += 1
                self.random_elements += math.prod(outputs.shape)
        else:
            self.convolutions += 2 if name == "separable_conv" else 1
            self.is_depthwise |= name in DEPTHWISE
            patches = _patch_bytes(name, arguments, outputs)
            known = self.patch_bytes is not None and patches is not None
            self.patch_bytes = self.patch_bytes + patches if known else None  # type: ignore[operator]


def _patch_bytes(name: str, arguments: Mapping[str, Any], outputs: Any) -> int | None:
    """Return the bytes of the patches: windows by places of a window by channels.

    A transposed convolution makes them, adds them to its output, and its gradient makes them again.
    """
    inputs = tf.convert_to_tensor(arguments["inputs"])
    if not outputs.shape.is_fully_defined() or not inputs.shape.is_fully_defined():
        return None
    channels = -1 if data_format(arguments.get("data_format")) == "channels_last" else 1
    windows, other = (inputs, outputs) if name == "conv_transpose" else (outputs, inputs)
    depth = other.shape[channels]
    if name == "separable_conv":  # the depthwise part, and the pointwise one after it
        places = math.prod(arguments["depthwise_kernel"].shape[:-2])
        numbers = places * depth + arguments["pointwise_kernel"].shape[-2]
    else:
        numbers = math.prod(arguments["kernel"].shape[:-2]) * depth
    times = TRANSPOSED if name == "conv_transpose" else 1
    count = math.prod(windows.shape) // windows.shape[channels]
    return int(times * count * numbers * outputs.dtype.size)


@contextlib.contextmanager
def recorded_calls(calls: RecordedCalls) -> Iterator[None]:
    """Count the calls of this thread."""
    with replaced(tuple(LOWERED), lambda original: _recorded(original, calls)):
        yield


def _recorded(original: Operation, calls: RecordedCalls) -> Operation:
    name, signature = original.__name__, inspect.signature(original)

    def operation(*arguments: Any, **options: Any) -> Any:
        outputs = original(*arguments, **options)
        calls.add(name, signature.bind(*arguments, **options).arguments, outputs)
        return outputs

    return operation
