"""Whether what computes here computes in bfloat16, and does not only imitate it."""

from pathlib import Path

import tensorflow as tf

CPU_INFO = Path("/proc/cpuinfo")
FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""What Linux calls it on processors by Intel and AMD, and on those by ARM."""
CAPABILITY = (8, 0)
"""The compute capability from which on NVIDIA's GPUs have it."""


def is_native() -> bool:
    """Tell whether the device computes in bfloat16; what says nothing is taken not to."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return bool(FLAGS & _flags(CPU_INFO))
    told = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
    return told is not None and tuple(told) >= CAPABILITY


def _flags(file: Path) -> set[str]:
    """Return the words that Linux says of a processor's instructions; elsewhere there are none."""
    if not file.is_file():
        return set()
    lines = file.read_text(encoding="utf-8").splitlines()
    told = [line.partition(":") for line in lines]
    return {word for name, _, words in told if _is_flags(name) for word in words.split()}


def _is_flags(name: str) -> bool:
    return name.strip() in ("flags", "Features")
