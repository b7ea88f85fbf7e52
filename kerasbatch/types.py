"""The types of spec values that several packages share."""

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Language = Literal["en", "ko"]
"""The language of texts."""
Engine = Literal["auto", "fused", "keras"]
"""The engine that executes the steps."""
Backend = Literal["tensorflow", "jax"]
"""The backend of Keras."""
Precision = Literal["float32", "mixed_bfloat16"]
"""The precision of the computation."""
Sampling = Literal["shuffle", "replacement", "sequential"]
"""The way in which the examples of an epoch are drawn."""
PartialBatch = Literal["keep", "drop"]
"""The treatment of the smaller batch at the end of an epoch."""
BudgetKind = Literal["epochs", "steps", "examples"]
"""The unit of a budget."""
EveryKind = Literal["epochs", "steps", "examples", "growth"]
"""The unit in which the points of evaluation are specified."""
ModelFormat = Literal["keras", "savedmodel", "onnx"]
"""The format of a kept model for other programs."""
BatchSize = int | Literal["full"]
"""The examples of one step, or all of them."""
Array = NDArray[Any]


Row = dict[str, Any]
"""A row of a table, by column."""


@dataclass(frozen=True)
class Progress:
    """The progress of a training; the speed is that of the most recent steps."""

    step: int
    total_steps: int
    epoch: int
    examples_per_second: float | None
    loss: float | None
    seconds_left: float | None
