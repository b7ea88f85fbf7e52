"""The columns of a run's tables in order; the columns of runs.csv are the fields of `RunRow`."""

HISTORY_COLUMNS = ("epoch", "step", "examples", "seconds", "learning_rate")
"""The first columns of history.csv; losses and metrics follow."""
NOT_MEASURED = frozenset(HISTORY_COLUMNS) - {"learning_rate"}
"""Columns of a history that hold times and counts, not measured values."""
STEP_COLUMNS = (
    "epoch",
    "train_examples",
    "batch_size",
    "planned_steps",
    "observed_steps",
    "planned_examples",
    "observed_examples",
    "last_batch_size",
    "check",
)
"""The columns of steps.csv."""
STEP_LOSS_COLUMNS = ("step", "loss")
"""The columns of steps_loss.csv."""
NOISE_COLUMNS = ("step", "examples", "noise_scale", "low", "high", "trace", "squared_norm")
"""The columns of noise.csv."""
COST_COLUMNS = {"steps": "step", "examples": "examples", "seconds": "seconds"}
"""The costs of a training, and the columns of history.csv that hold them."""
TO_TARGET_COLUMNS = tuple(f"{cost}_to_target" for cost in COST_COLUMNS)
"""The cost of the first evaluation that reaches the target."""
TARGET_COLUMNS = ("target", *TO_TARGET_COLUMNS)
"""The columns of runs.csv for runs with a target."""
RUN_KEYS = ("experiment", "run_id")
"""The columns that name a run."""
INNER_COLUMNS = frozenset(
    {"experiment", "run", "row", "runs", "seeds", "reached", "unknown", "caveats"}
    | {"first", "second", "third", "value", "size"}
)
"""Columns that comparisons add; no metric and no column of a file has one of these names."""
