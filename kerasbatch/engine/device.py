"""Arrays on their way to the device."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.array_files import in_a_file
from kerasbatch.engine.options import Arrays
from kerasbatch.types import Array

ALIGNMENT = 64
"""Bytes to whose multiples TensorFlow aligns its tensors."""


def to_device(arrays: Arrays) -> Arrays:
    """Move arrays to the device, in their own types."""
    moved: Arrays = keras.tree.map_structure(_to_device, arrays)
    return moved


def _to_device(array: Any) -> tf.Tensor:
    """Return an array as a tensor, without a copy where it is mapped from a file.

    Processes that map the same file share its pages then.
    """
    return in_place(array) if is_mapped(array) else tf.convert_to_tensor(array)


def bytes_of(arrays: Any) -> int:
    """Return the bytes of arrays, nested or not."""
    return int(sum(array.nbytes for array in keras.tree.flatten(arrays)))


def cast_for_device(arrays: Arrays) -> Arrays:
    """Return arrays in the types in which they are computed with."""
    same: Arrays = keras.tree.map_structure(
        lambda array: array.astype(type_on_device(array), copy=False), arrays
    )
    return same


def type_on_device(array: Any) -> Any:
    """Return the type in which an array is computed with: for fractions, Keras' own."""
    return np.dtype(keras.config.floatx()) if array.dtype.kind == "f" else array.dtype


def is_mapped(array: Any) -> bool:
    """Tell whether an array is mapped from a file, and can be computed with where it lies.

    TensorFlow takes no memory that is read-only.
    """
    is_file = in_a_file(array) and array.flags.c_contiguous and array.size
    return bool(
        is_file
        and array.flags.writeable
        and array.ctypes.data % ALIGNMENT == 0
        and not tf.config.list_physical_devices("GPU")
    )


def in_place(array: Array) -> tf.Tensor:
    """Return an aligned array as a tensor over the same memory; on a GPU, a copy.

    Types that NumPy itself does not know, like bfloat16, are copied too.
    """
    if tf.config.list_physical_devices("GPU") or array.dtype.kind not in "biuf":
        return tf.convert_to_tensor(array)
    return tf.experimental.dlpack.from_dlpack(np.asarray(array).__dlpack__())


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return memory for an array that `in_place` can use; it holds zeros."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    room: Array = memory[first : first + size].view(dtype).reshape(shape)
    return room


CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""What Linux calls it on processors by Intel and AMD, and on those by ARM."""
BFLOAT16_CAPABILITY = (8, 0)
"""The compute capability from which on NVIDIA's GPUs have it."""


def computes_bfloat16() -> bool:
    """Tell whether the device computes in bfloat16; what says nothing is taken not to."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return bool(BFLOAT16_FLAGS & _processor_flags(CPU_INFO))
    told = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
    return told is not None and tuple(told) >= BFLOAT16_CAPABILITY


def _processor_flags(file: Path) -> set[str]:
    """Return the words that Linux says of a processor's instructions; elsewhere there are none."""
    if not file.is_file():
        return set()
    lines = file.read_text(encoding="utf-8").splitlines()
    told = [line.partition(":") for line in lines]
    return {word for name, _, words in told if _is_flags(name) for word in words.split()}


def _is_flags(name: str) -> bool:
    return name.strip() in ("flags", "Features")
