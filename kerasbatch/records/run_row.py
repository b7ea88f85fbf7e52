"""The row of a run in runs.csv; None is an empty cell."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class RunRow:
    """The fields of every run in runs.csv, in the order of the columns; metrics follow."""

    run_id: str
    status: str
    data_used: str
    train_examples: int
    batch_size: int
    epochs: float
    optimizer: str
    learning_rate: float | None
    base_learning_rate: float | None
    seed: int
    engine: str | None
    planned_steps: int
    observed_steps: int
    document_steps: float
    step_check: str
    examples: int | None
    train_seconds: float | None
    compile_seconds: float | None
    evaluate_seconds: float | None
    examples_per_second: float | None
    steps_per_second: float | None
    peak_memory_mb: float | None

    def with_metrics(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """Return the complete row, with the metrics at its end."""
        return asdict(self) | metrics


RUN_COLUMNS = tuple(field.name for field in fields(RunRow))

RENAMED_KEYS = {
    "data.name": "data_used",
    "optimizer.name": "optimizer",
    "optimizer.learning_rate": "learning_rate",
}
"""The dotted keys of the spec that have a column with another name."""


def per_second(count: int | None, seconds: float | None) -> float | None:
    """Return a speed, or None if the count or the time was not measured."""
    return round(count / seconds, 3) if seconds and count else None
