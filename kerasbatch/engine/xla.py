"""The uses of XLA: their names, the choice among them, and what stands against one."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

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


class UncheckedError(ObstacleError):
    """An operation whose indices cannot be checked."""


class XlaChoice(NamedTuple):
    """A use of XLA.

    Args:
        mode: the use.
        why: the reason in words.
        after: the number of steps without XLA before it compiles.
    """

    mode: XlaMode
    why: str
    after: int = 0


@dataclass(frozen=True)
class PlannedSteps:
    """The steps of a training.

    Args:
        inputs: arrays or specs, whose first length is ignored.
        size: the batch size, or None if it is unknown.
        count: the number of steps, or None if it is unknown.
        share: the share of XLA's gain that remains beside the work on the batches.
    """

    inputs: Any
    size: int | None
    count: int | None
    share: float = 1.0
