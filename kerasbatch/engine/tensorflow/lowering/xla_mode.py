"""The lowered operations of a use of XLA."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering.backend import CONVOLUTIONS, lowered
from kerasbatch.engine.tensorflow.lowering.keras_operations import can_lower
from kerasbatch.engine.xla import NotLoweredError, XlaMode


@contextlib.contextmanager
def lowering_of(mode: XlaMode) -> Iterator[list[str]]:
    """Trace the steps of a mode; yield the operations that are not lowered, with the reasons.

    Raises:
        NotLoweredError: at the end, if they are convolutions inside a compiled loop.
    """
    if mode == "none" or not can_lower() or tf.config.list_logical_devices("GPU"):
        yield []  # on a GPU, XLA uses the libraries of the device
        return
    with lowered(with_convolutions=mode == "lowered_loop") as native:
        yield native
    if kept := [reason for reason in native if reason.startswith(CONVOLUTIONS)]:
        raise NotLoweredError(kept[0])
