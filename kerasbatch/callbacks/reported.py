"""What the callbacks report of a training; known also to a process that has no Keras."""

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""A row of a table, by column."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands; the speed is that of the last moments."""

    step: int
    total_steps: int
    epoch: int
    examples_per_second: float | None
    loss: float | None
    seconds_left: float | None
