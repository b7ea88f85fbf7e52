"""How a training ended and what it measured, as its record and its row tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.records.run_status import RunStatus
from kerasbatch.spec import keras_registry
from kerasbatch.spec.schema import Target
from kerasbatch.steps import Plan
from kerasbatch.types import Row

if TYPE_CHECKING:
    from kerasbatch.callbacks.stopping import Stopping


@dataclass(frozen=True)
class Outcome:
    """How a training ended and what it measured; None for what was not measured.

    Args:
        status: how it ended.
        message: the same for a person.
        engine: the engine that trained, or None where none began.
        why: why this engine.
        jit_compile: whether with XLA.
        step_check: the step check of the whole run.
        observed_steps: the steps counted by the optimizer.
        observed_examples: the rows counted by Keras' loss metric.
        train_seconds: the seconds of training alone.
        compile_seconds: the seconds of compilation.
        evaluate_seconds: the seconds of evaluation.
        metrics: the last and the best values, and those of the test part.
        reached: the row of the first evaluation that passed the target.
        error: a traceback, where the training was cut off.
    """

    status: RunStatus
    message: str
    engine: str | None
    why: str
    jit_compile: bool | None
    step_check: str
    observed_steps: int
    observed_examples: int | None
    train_seconds: float | None
    compile_seconds: float | None
    evaluate_seconds: float | None
    metrics: dict[str, float]
    reached: Row | None = None
    error: str | None = None


def end_status(
    plan: Plan, stopping: "Stopping", target: Target | None, step: int, stopped: str | None
) -> tuple[RunStatus, str]:
    """Return status and message of a training that came to its own end after some step.

    Args:
        plan: its plan.
        stopping: what may have ended it.
        target: its target, or None.
        step: the steps that were taken.
        stopped: which callback of the spec ended it, in words, or None.
    """
    total = plan.total_steps
    if at := stopping.diverged:
        where = f"in epoch {at.epoch}, at step {at.step:,} of {total:,}"
        return RunStatus.DIVERGED, f"the loss was {at.loss:.6g} {where}; try a lower learning rate"
    if stopping.ending == "target_reached" and target:
        return RunStatus.TARGET, f"reached {target} at step {step:,} of {total:,}"
    why = f": {stopped}" if stopped and step < total else ""
    return RunStatus.DONE, f"took {step:,} of {total:,} planned steps{why}"


def last_and_best(rows: Sequence[Row], prefix: str) -> dict[str, float]:
    """Return the last value of every metric, and the best of those at fixed weights.

    Args:
        rows: the rows of history.csv.
        prefix: what the metrics at fixed weights begin with.
    """
    last = {k: v for k, v in rows[-1].items() if k not in HISTORY_COLUMNS} if rows else {}
    best = {}
    for name in [key for key in last if key.startswith(prefix)]:
        values = [row[name] for row in rows if name in row and row[name] == row[name]]
        if values:  # nan is never best
            lower = keras_registry.lower_is_better(name.removeprefix(prefix))
            best[f"best_{name}"] = min(values) if lower else max(values)
    return last | best
