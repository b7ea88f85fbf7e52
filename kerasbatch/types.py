"""The words of a spec that several packages share, as types."""

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Engine = Literal["auto", "fused", "keras"]
"""How steps are executed."""
Sampling = Literal["shuffle", "replacement", "sequential"]
"""How the examples of an epoch are drawn."""
PartialBatch = Literal["keep", "drop"]
"""What becomes of the smaller batch at the end of an epoch."""
BudgetKind = Literal["epochs", "steps", "examples"]
"""What ends a run."""
EveryKind = Literal["epochs", "steps", "examples", "growth"]
"""In what unit the points of evaluation are given."""
BatchSize = int | Literal["full"]
"""Examples of one step, or all of them."""
Array = NDArray[Any]


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
