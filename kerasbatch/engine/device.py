"""Transfers of arrays to the device, and the abilities of the device."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.engine.backend import backend
from kerasbatch.engine.options import Arrays
from kerasbatch.types import Array

ALIGNMENT = 64
"""The alignment of tensors, in bytes."""


def to_device(arrays: Arrays) -> Arrays:
    """Return arrays as tensors on the device, with unchanged types."""
    tensors: Arrays = keras.tree.map_structure(_to_device, arrays)
    return tensors


def _to_device(array: Any) -> Any:
    """Return an array as a tensor, without a copy if it is mapped from a file.

    Processes that map the same file then share its pages.
    """
    return in_place(array) if is_mapped(array) else backend().to_device(array)


def bytes_of(arrays: Any) -> int:
    """Return the bytes of arrays, nested or not."""
    return int(sum(array.nbytes for array in keras.tree.flatten(arrays)))


def cast_for_device(arrays: Arrays) -> Arrays:
    """Return arrays cast to the types of the computation."""
    cast: Arrays = keras.tree.map_structure(
        lambda array: array.astype(type_on_device(array), copy=False), arrays
    )
    return cast


def type_on_device(array: Any) -> Any:
    """Return the type of an array in the computation: for floats, Keras' floatx."""
    return np.dtype(keras.config.floatx()) if array.dtype.kind == "f" else array.dtype


def is_mapped(array: Any) -> bool:
    """Return whether an array is mapped from a file and can be used without a copy.

    TensorFlow does not accept read-only memory.
    """
    is_file = is_memory_mapped(array) and array.flags.c_contiguous and array.size
    return bool(
        is_file
        and array.flags.writeable
        and array.ctypes.data % ALIGNMENT == 0
        and not backend().has_gpu()
    )


def in_place(array: Array) -> Any:
    """Return an aligned array as a tensor over the same memory; on a GPU, a copy."""
    return backend().in_place(np.asarray(array))


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an array of zeros in aligned memory, for `in_place`."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    array: Array = memory[first : first + size].view(dtype).reshape(shape)
    return array


CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Linux' names of the instructions on Intel, AMD and ARM processors."""
BFLOAT16_CAPABILITY = (8, 0)
"""The lowest compute capability of NVIDIA GPUs with bfloat16."""


def computes_bfloat16() -> bool:
    """Return whether the device computes in bfloat16; False if that is unknown."""
    if not backend().has_gpu():
        return bool(BFLOAT16_FLAGS & _processor_flags(CPU_INFO))
    capability = backend().gpu_capability()
    return capability is not None and tuple(capability) >= BFLOAT16_CAPABILITY


def _processor_flags(file: Path) -> set[str]:
    """Return the flags of the processor's instruction sets; empty on systems other than Linux."""
    if not file.is_file():
        return set()
    lines = file.read_text(encoding="utf-8").splitlines()
    fields = [line.partition(":") for line in lines]
    return {flag for name, _, flags in fields if _is_flags(name) for flag in flags.split()}


def _is_flags(name: str) -> bool:
    return name.strip() in ("flags", "Features")
