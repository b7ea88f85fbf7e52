"""The words of a spec that several packages share, as types."""

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

NOISE_COLUMNS = ("step", "examples", "noise_scale", "low", "high", "trace", "squared_norm")
"""The columns of noise.csv."""
HISTORY_COLUMNS = ("epoch", "step", "examples", "seconds", "learning_rate")
"""The first columns of history.csv; the losses and metrics come behind them."""
