"""What is said of a run whose process ended before it could say anything."""

from collections.abc import Sequence
from typing import Any

from kerasbatch.callbacks.reported import Progress, Row
from kerasbatch.errors import counted
from kerasbatch.records import provenance
from kerasbatch.runs.crew import Loss
from kerasbatch.runs.outcome import Outcome, last_and_best
from kerasbatch.runs.prepared import Prepared
from kerasbatch.runs.record import describe


def record(
    run: Prepared,
    loss: Loss,
    started: str,
    progress: Progress | None,
    history: Sequence[Row],
) -> dict[str, Any]:
    """Return what record.json says of it: what had come in, and nothing that was not measured.

    Args:
        run: the run.
        loss: how its process was lost.
        started: when it began.
        progress: where it stood when it told last, or None.
        history: the rows of history.csv that had come in.
    """
    step = progress.step if progress else 0
    total = run.plan.total_steps
    seen = f"after {counted(step, 'step')} of {total:,} or a little later"
    outcome = Outcome(
        status=loss.status,
        message=f"{loss.message}, {seen}",
        engine=None,
        why="its process ended before it could tell",
        jit_compile=None,
        step_check=f"ended_early: {loss.status}",
        observed_steps=step,
        observed_examples=None,
        train_seconds=None,
        compile_seconds=None,
        evaluate_seconds=None,
        metrics=last_and_best([row for row in history if row["step"] > 0], run.data.prefix),
        error=loss.error,
    )
    described = describe(run, outcome, None)
    return {**described, "started": started, "ended": provenance.now(), **provenance.here()}
