"""The state of a process that own code may change, and that other runs depend on.

Random generators are not part of it: every run seeds them anew.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from kerasbatch.engine.backend import backend


def process_state() -> dict[str, Any]:
    """Return the state of this process, by the name of its part."""
    return {
        "the defaults of Keras": _keras_defaults(),
        "eager mode": backend().process_settings(),
        "the working directory": _working_directory(),
        "the mask of new files": _umask(),
        "the limits of resources": _limits(),
        "standard streams": tuple(_streams()),
        "signal handlers": [signal.getsignal(number) for number in signal.valid_signals()],
        "the recursion limit": sys.getrecursionlimit(),
        "environment variables": dict(os.environ),
        "the module path": list(sys.path),
    }


def changed_parts(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of the parts that differ."""
    return [name for name in before if before[name] != after[name]]


def _keras_defaults() -> tuple[Any, ...]:
    config = keras.config
    policy = config.dtype_policy().name
    return config.floatx(), config.epsilon(), config.image_data_format(), policy


def _working_directory() -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return str(Path.cwd())
    return None  # it was deleted


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _limits() -> list[tuple[int, int]]:
    """Return all limits; Windows has none."""
    if sys.platform == "win32":
        return []
    import resource

    names = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))
    return [resource.getrlimit(getattr(resource, name)) for name in names]


def _streams() -> Iterator[Any]:
    """Yield the files of the three standard streams; None for a closed one."""
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        try:
            status = os.fstat(number)
            yield status.st_dev, status.st_ino
        except OSError:
            yield None
        yield id(stream), stream is None or stream.closed
