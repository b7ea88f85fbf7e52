"""Runs without a record: they are running, or their process was killed.

Their row is made from their spec and the rows of history.csv that are on the disk.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasbatch.columns import HISTORY_COLUMNS, INNER_COLUMNS
from kerasbatch.records.file_names import SPEC
from kerasbatch.records.history_file import read_history
from kerasbatch.records.last_metrics import last_and_best
from kerasbatch.records.run_row import RUN_COLUMNS
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.stored_files import StoredFileError, read_stored_spec
from kerasbatch.spec.learning_rate import written_rate
from kerasbatch.spec.schema import Spec
from kerasbatch.text import show_value
from kerasbatch.types import Row

MAX_COST = 2**53
_COSTS = {"epoch": "epochs", "step": "observed_steps", "examples": "examples"}
"""Columns of history.csv, and the columns of runs.csv that hold their last value."""


def partial_record(path: Path) -> dict[str, Any]:
    """Return the record of a run that has not ended.

    Raises:
        StoredFileError: if its files cannot be read; the message names the file.
    """
    try:
        spec = read_stored_spec(path / SPEC).spec
    except StoredFileError as error:
        raise StoredFileError(f"its {SPEC} {error}") from error
    history = _history(path / "history.csv")
    if (size := _batch_size(spec, history)) is None:
        raise StoredFileError("it has not ended, and the size of its full batch is unknown")
    row = {
        "run_id": path.name,
        "status": RunStatus.UNFINISHED,
        "batch_size": size,
        "optimizer": spec.optimizer.name,
        "learning_rate": _learning_rate(spec),
        "seed": spec.seed,
        "planned_steps": spec.steps,
    }
    row |= {name: history[-1][column] for column, name in _COSTS.items() if history}
    prefix = "val_" if any(name.startswith("val_") for name in (*history, {})[0]) else "train_"
    row |= last_and_best(history, prefix, spec.target)
    return {"row": row, "spec": spec.plain(), "swept": {}, "status": RunStatus.UNFINISHED}


def _learning_rate(spec: Spec) -> float | None:
    """Return the rate of a spec without a rule; None for a schedule."""
    rate, rule = written_rate(spec), spec.learning_rate_rule
    return None if rate is None or rule.rule != "none" else rate * rule.times


def _batch_size(spec: Spec, history: Sequence[Row]) -> int | None:
    """Return the batch size; that of a full batch by the examples of its first steps."""
    if spec.batch_size != "full":
        return spec.batch_size
    first = next((row for row in history if row["step"]), None)
    return None if first is None else round(first["examples"] / first["step"])


def _history(file: Path) -> list[Row]:
    """Return the rows of history.csv as numbers; their columns are those of a run."""
    history = read_history(file)
    for column in _COSTS:
        if not all(0 <= row.get(column, -1) < MAX_COST for row in history):
            raise StoredFileError(f"its {file.name} has no column {column}, or an odd cell of it")
    if odd := [name for name in (history or [{}])[0] if not _is_column(name)]:
        raise StoredFileError(f"its {file.name} has a column {show_value(odd[0])}")
    return history


def _is_column(name: str) -> bool:
    """Return whether a column of history.csv may be a column of runs.csv too."""
    is_taken = name in INNER_COLUMNS or (name in RUN_COLUMNS and name not in HISTORY_COLUMNS)
    return name.isprintable() and not is_taken
