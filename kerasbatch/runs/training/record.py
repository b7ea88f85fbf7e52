"""The content of record.json and the row of runs.csv of a training that has ended."""

from dataclasses import asdict
from typing import Any

from kerasbatch.columns import TARGET_COLUMNS
from kerasbatch.records.run_row import RunRow, per_second
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.user_code.snapshot import file_hashes


def run_record(
    prepared: PreparedRun, outcome: Outcome, peak_memory_mb: float | None
) -> dict[str, Any]:
    """Return the content of record.json, without times and versions.

    Args:
        prepared: the checked run.
        outcome: its outcome.
        peak_memory_mb: its own peak memory, or None if unknown.
    """
    return {
        "run_id": prepared.run_id,
        "status": outcome.status,
        "message": outcome.message,
        "swept": dict(prepared.single.swept),
        "spec": prepared.single.spec.plain(),
        "row": _row(prepared, outcome, peak_memory_mb),
        **_cap(prepared, outcome),
        "difference": _difference(prepared, outcome.observed_steps),
        "engine": {
            "name": outcome.engine,
            "why": outcome.why,
            "jit_compile": outcome.jit_compile,
        },
        "notice": prepared.data.notice,
        "error": outcome.error,
        "classes": prepared.data.classes,
        "chance_level": outcome.chance_level,
        "data_fingerprint": prepared.data.fingerprint,
        "data_description": dict(prepared.data.description),
        **_compiled(prepared),
        **_initial_weights(prepared),
        **({"resumed": list(prepared.resume.entries)} if prepared.resume else {}),
        **({"code": file_hashes(prepared.code)} if prepared.code else {}),
    }


def _cap(prepared: PreparedRun, outcome: Outcome) -> dict[str, Any]:
    """Return the cap of a run that ended there."""
    if outcome.status != RunStatus.CAPPED or prepared.cap is None:
        return {}
    return {"cap": asdict(prepared.cap)}


def _compiled(prepared: PreparedRun) -> dict[str, Any]:
    """Return the parts that the model's own code compiled, where there are any."""
    of_model = prepared.compiled.of_model if prepared.compiled else ()
    return {"compiled_by_model": list(of_model)} if of_model else {}


def _initial_weights(prepared: PreparedRun) -> dict[str, Any]:
    """Return the file of the initial weights, where they were not drawn."""
    weights = prepared.weights
    if weights is None:
        return {}
    facts = {"run": weights.run, "file": weights.file.name, "sha256": weights.sha256}
    return {"initial_weights": facts}


def _difference(prepared: PreparedRun, taken: int) -> str:
    """Return the reason why s = n*e/b differs from the steps that were taken."""
    planned = prepared.plan.total_steps
    if taken < planned:
        return f"planned {planned:,}; stopped after {taken:,}"
    return prepared.plan.with_budget("steps", taken).difference


def _row(prepared: PreparedRun, outcome: Outcome, peak_memory_mb: float | None) -> dict[str, Any]:
    """Return the run's row of runs.csv."""
    spec, plan, seconds = prepared.single.spec, prepared.plan, outcome.train_seconds
    return RunRow(
        run_id=prepared.run_id,
        status=outcome.status,
        data_used=prepared.data.used,
        train_examples=plan.train_examples,
        batch_size=plan.batch_size,
        epochs=plan.position(outcome.observed_steps).epochs_done,
        optimizer=prepared.optimizer,
        learning_rate=prepared.rate.value,
        base_learning_rate=prepared.rate.base,
        seed=spec.seed,
        engine=outcome.engine,
        planned_steps=plan.total_steps,
        observed_steps=outcome.observed_steps,
        document_steps=plan.document_steps_at(outcome.observed_steps),
        step_check=outcome.step_check,
        examples=outcome.observed_examples,
        train_seconds=seconds,
        compile_seconds=outcome.compile_seconds,
        evaluate_seconds=outcome.evaluate_seconds,
        examples_per_second=per_second(outcome.observed_examples, seconds),
        steps_per_second=per_second(outcome.observed_steps, seconds),
        peak_memory_mb=peak_memory_mb,
    ).with_metrics(outcome.metrics | _target(prepared, outcome))


def _target(prepared: PreparedRun, outcome: Outcome) -> dict[str, Any]:
    """Return the step, examples and seconds of the first evaluation that reached the target."""
    target, reached = prepared.single.spec.target, outcome.reached or {}
    if target is None:
        return {}
    values = (reached.get(key) for key in ("step", "examples", "seconds"))
    return dict(zip(TARGET_COLUMNS, (str(target), *values), strict=True))
