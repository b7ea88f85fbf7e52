"""Run directories made up row by row, without training."""

from pathlib import Path
from typing import Any

from kerasbatch.columns import HISTORY_COLUMNS, STEP_COLUMNS
from kerasbatch.planning import plan_budget
from kerasbatch.records import provenance
from kerasbatch.records.last_metrics import last_and_best
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.run_id import run_id
from kerasbatch.runs.prepare.prepared_run import DataInfo, PreparedRun
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.runs.training.record import run_record
from kerasbatch.spec import learning_rate, reader
from kerasbatch.spec.sweep.single_run import SingleRun

EXAMPLES = 1000
SPEC: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "validation": {"examples": 100},
    "batch_size": 10,
}


def make_run(
    folder: Path,
    *accuracies: float,
    batch_size: int = 10,
    seed: int = 0,
    rate: float = 0.1,
    every: int = 10,
    status: str = "done",
    swept: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    used: str = "digits",
    row: dict[str, Any] | None = None,
    record: dict[str, Any] | None = None,
) -> Path:
    """Write a run whose validation accuracy was this at its evaluations, `every` steps apart."""
    optimizer = {"name": "sgd", "learning_rate": rate}
    budget = {"steps": every * len(accuracies)}
    keys = SPEC | budget | {"batch_size": batch_size, "seed": seed, "optimizer": optimizer}
    given = {key: value for key, value in (keys | (spec or {})).items() if value is not None}
    made = reader.spec_from_dict(given).spec
    planned = plan_budget(EXAMPLES, made.batch_size, made.length, "keep")
    told = {"batch_size": batch_size, "optimizer.learning_rate": rate, "seed": seed}
    told |= swept or {}
    facts = DataInfo(used, "f" * 64, None, validated=True)
    name = run_id(made, told, facts.fingerprint)
    found = learning_rate.resolve_learning_rate(made, planned)
    prepared = PreparedRun(SingleRun(made, told), planned, found, name, facts, "")
    history = list(_history(accuracies, batch_size, every, rate))
    described = run_record(prepared, _outcome(status, planned.total_steps, history), 100.0)
    described["row"] |= row or {}
    directory = RunDirectory(folder / name)
    directory.start(made)
    directory.write("history.csv", history, HISTORY_COLUMNS)
    directory.write("steps.csv", [dict.fromkeys(STEP_COLUMNS, 1)], STEP_COLUMNS)
    directory.finish(described | provenance.provenance() | (record or {}))
    return directory.path


def _history(accuracies: Any, batch_size: int, every: int, rate: float) -> Any:
    for number, accuracy in enumerate((0.1, *accuracies)):
        step = number * every
        yield {
            "epoch": step * batch_size / EXAMPLES,
            "step": step,
            "examples": step * batch_size,
            "seconds": step / 100,
            "learning_rate": rate,
            "loss": None if number == 0 else 1 - accuracy,
            "val_loss": 1 - accuracy,
            "val_accuracy": accuracy,
        }


def _outcome(status: str, steps: int, history: list[dict[str, Any]]) -> Outcome:
    return Outcome(
        status=status,
        message="made up",
        engine="fused",
        why="made up",
        jit_compile=False,
        step_check="ok",
        observed_steps=steps,
        observed_examples=None,
        train_seconds=steps / 100,
        compile_seconds=0.1,
        evaluate_seconds=0.1,
        metrics=last_and_best(history[1:], "val_", None),
    )
