"""The record of a run that lost its worker, or its directory."""

from collections.abc import Sequence
from typing import Any

from kerasbatch.records import provenance
from kerasbatch.records.last_metrics import last_and_best
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.runs.training.record import run_record
from kerasbatch.text import counted
from kerasbatch.types import Progress, Row


def failed_run_record(
    run: PreparedRun,
    failure: WorkerFailure,
    started: str,
    progress: Progress | None,
    history: Sequence[Row],
) -> dict[str, Any]:
    """Return the record of a run that lost its worker; unmeasured values are empty.

    Args:
        run: the run.
        failure: the failure of its worker.
        started: the time of its start.
        progress: its last progress, or None.
        history: the rows of history.csv received so far.
    """
    step = progress.step if progress else 0
    total = run.plan.total_steps
    place = f"after {counted(step, 'step')} of {total:,} or a little later"
    outcome = Outcome(
        status=failure.status,
        message=f"{failure.message}, {place}",
        engine=None,
        why="its process ended before it could tell",
        jit_compile=None,
        step_check=f"ended_early: {failure.status}",
        observed_steps=step,
        observed_examples=None,
        train_seconds=None,
        compile_seconds=None,
        evaluate_seconds=None,
        metrics=last_and_best(history, run.data.prefix, run.single.spec.target),
        error=failure.error,
    )
    record = run_record(run, outcome, None)
    return {
        **record,
        "started": started,
        "ended": provenance.utc_now(),
        **provenance.provenance(),
    }
