"""The outcome of a training that began, from its callbacks."""

from typing import NamedTuple

from kerasbatch.callbacks.evaluation_relay import EvaluationRelay
from kerasbatch.callbacks.recorder import Recorder
from kerasbatch.callbacks.step_counter import StepCounter
from kerasbatch.callbacks.stopping import Stopping
from kerasbatch.engine.training.start import Training
from kerasbatch.records.last_metrics import last_and_best
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.training.chance_level import chance_levels
from kerasbatch.runs.training.failures import describe_failure, traceback_of
from kerasbatch.runs.training.job import TrainingJob
from kerasbatch.runs.training.outcome import Outcome


class TrainingEnd(NamedTuple):
    """The callbacks of a training that has ended."""

    counter: StepCounter
    recorder: Recorder
    stopping: Stopping
    relay: EvaluationRelay


def summarize(
    job: TrainingJob,
    training: Training,
    end: TrainingEnd,
    last_metrics: dict[str, float],
    error: BaseException | None,
) -> Outcome:
    """Return the outcome of a training.

    Args:
        job: the input of the training.
        training: its engine.
        end: its callbacks.
        last_metrics: the metrics measured after its end.
        error: the exception that ended it, or None.
    """
    counter, recorder = end.counter, end.recorder
    if error is None:
        status, message = _end_status(job, end)
    else:
        status, message = describe_failure(error, counter.observed_steps, job.plan.total_steps)
        if status == RunStatus.INTERRUPTED:
            message += _unread_losses(job, training, counter)
    examples = [row["observed_examples"] for row in counter.rows]
    return Outcome(
        status=status,
        message=message,
        engine=training.name,
        why=training.why,
        jit_compile=training.jit_compile,
        step_check=counter.verdict(),
        observed_steps=counter.observed_steps,
        observed_examples=None if None in examples else sum(examples),
        train_seconds=_rounded(recorder.train_seconds),
        compile_seconds=_rounded(training.compile_seconds),
        evaluate_seconds=_rounded(recorder.evaluate_seconds),
        metrics=last_and_best(recorder.rows, job.prefix, job.spec.target) | last_metrics,
        reached=end.stopping.reached,
        error=traceback_of(error),
        chance_level=chance_levels(job),
    )


def _end_status(job: TrainingJob, end: TrainingEnd) -> tuple[RunStatus, str]:
    """Return status and message of a training without an error."""
    step, total, stopping = end.counter.observed_steps, job.plan.total_steps, end.stopping
    restored = ""
    if epoch := end.relay.restored_epoch():
        restored = f"; the weights at the end are those of epoch {epoch}"
    if at := stopping.diverged:
        place = f"in epoch {at.epoch}, at step {at.step:,} of {total:,}"
        message = f"the loss was {at.loss:.6g} {place}; try a lower learning rate"
        return RunStatus.DIVERGED, message + restored
    if stopping.ending == "target_reached":
        message = f"reached {job.spec.target} at step {step:,} of {total:,}"
        return RunStatus.TARGET, message + restored
    stopped_by = _stopped_by(job, end.relay) if step < total else ""
    if stopping.ending == "capped":
        message = f"stopped at step {step:,} of {total:,} without {job.spec.target}"
        return RunStatus.CAPPED, f"{message}: {_cap_reason(job)}{restored}"
    return RunStatus.DONE, f"took {step:,} of {total:,} planned steps{stopped_by}{restored}"


def _cap_reason(job: TrainingJob) -> str:
    if job.cap is not None and job.cap.is_limit:
        return f"the automatic budget ends at {job.cap.steps:,} steps"
    return "another setting is better"


def _stopped_by(job: TrainingJob, relay: EvaluationRelay) -> str:
    """Return the callback of the spec that stopped the training, in words."""
    if not job.model.stop_training:
        return ""
    callback = relay.stopped_by
    return f": stopped by {type(callback).__name__ if callback else 'a callback'}"


def _unread_losses(job: TrainingJob, training: Training, counter: StepCounter) -> str:
    """Return a note of the losses of a block that an interrupt left unread."""
    unread = counter.observed_steps - len(training.step_losses)
    if "steps" not in job.spec.record or unread <= 0:
        return ""
    return f"; the losses of the last {unread:,} were not read in time"


def _rounded(seconds: float | None) -> float | None:
    return round(seconds, 6) if seconds else None
