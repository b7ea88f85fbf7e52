"""The ways in which XLA compiles the steps of a block."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import tensorflow as tf

from kerasbatch.engine.lowering.backend import CONVOLUTIONS, lowered
from kerasbatch.engine.lowering.keras_operations import can_lower
from kerasbatch.engine.obstacle import ObstacleError

XlaMode = Literal["none", "loop", "lowered_loop", "step"]
"""The use of XLA.

none: not at all.
loop: the whole loop over the steps is compiled; pools are lowered.
lowered_loop: the same with lowered convolutions, which keep their speed inside a loop.
step: every step is compiled, in a loop that is not, where convolutions keep their fast path.
"""


class NotLoweredError(ObstacleError):
    """A convolution that cannot be lowered; in a loop under XLA it would be very slow."""


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
