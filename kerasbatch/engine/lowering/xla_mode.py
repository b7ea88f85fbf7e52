"""The ways in which XLA compiles the steps of a block."""

import contextlib
from contextlib import AbstractContextManager
from typing import Literal

from kerasbatch.engine.lowering.backend import lowered
from kerasbatch.engine.lowering.keras_operations import can_lower

XlaMode = Literal["none", "loop", "lowered_loop", "step"]
"""The use of XLA.

none: not at all.
loop: the whole loop over the steps is compiled; pools are lowered.
lowered_loop: the same with lowered convolutions, which keep their speed inside a loop.
step: every step is compiled, in a loop that is not, where convolutions keep their fast path.
"""


def lowering_of(mode: XlaMode) -> AbstractContextManager[object]:
    """Return the context in which the steps of a mode are traced."""
    if mode == "none" or not can_lower():
        return contextlib.nullcontext()
    return lowered(with_convolutions=mode == "lowered_loop")
