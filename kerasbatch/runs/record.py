"""What record.json and runs.csv say of a training that has ended."""

from dataclasses import dataclass
from typing import Any

from kerasbatch.records.run_row import TARGET_COLUMNS, RunRow, per_second
from kerasbatch.runs.outcome import Outcome
from kerasbatch.runs.prepare import Prepared
from kerasbatch.workload.data import Data


@dataclass(frozen=True)
class Ended:
    """A training that has ended.

    Args:
        prepared: the run as it was checked.
        data: the data it trained on.
        outcome: how it ended and what it measured.
        peak_memory_mb: its own peak memory, or None where it cannot be known.
    """

    prepared: Prepared
    data: Data
    outcome: Outcome
    peak_memory_mb: float | None

    def record(self) -> dict[str, Any]:
        """Return what record.json says, beside when and where it was."""
        prepared, outcome = self.prepared, self.outcome
        return {
            "run_id": prepared.run_id,
            "status": outcome.status,
            "message": outcome.message,
            "swept": dict(prepared.single.swept),
            "spec": prepared.single.spec.plain(),
            "row": self.row(),
            "difference": self._difference(),
            "engine": {
                "name": outcome.engine,
                "why": outcome.why,
                "jit_compile": outcome.jit_compile,
            },
            "notice": self.data.notice,
            "error": outcome.error,
            "data_fingerprint": self.data.fingerprint,
        }

    def _difference(self) -> str:
        """Say why s = n*e/b is not the steps that were taken, or that not all were taken."""
        planned, taken = self.prepared.plan.total_steps, self.outcome.observed_steps
        if taken < planned:
            return f"planned {planned:,}; stopped after {taken:,}"
        return self.prepared.plan.with_budget("steps", taken).difference

    def row(self) -> dict[str, Any]:
        """Return the run's row of runs.csv."""
        spec, plan, outcome = self.prepared.single.spec, self.prepared.plan, self.outcome
        done, seconds = plan.position(outcome.observed_steps), outcome.train_seconds
        return RunRow(
            run_id=self.prepared.run_id,
            status=outcome.status,
            data_used=self.data.used,
            train_examples=plan.train_examples,
            batch_size=plan.batch_size,
            epochs=done.epochs_done,
            optimizer=spec.optimizer.name,
            learning_rate=self.prepared.rate.value,
            base_learning_rate=self.prepared.rate.base,
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
            peak_memory_mb=self.peak_memory_mb,
        ).with_metrics(outcome.metrics | self._target())

    def _target(self) -> dict[str, Any]:
        """Return where the target was first seen to be reached: at an evaluation, as they come."""
        target, reached = self.prepared.single.spec.target, self.outcome.reached or {}
        if target is None:
            return {}
        values = (reached.get(key) for key in ("step", "examples", "seconds"))
        return dict(zip(TARGET_COLUMNS, (target.describe(), *values), strict=True))
