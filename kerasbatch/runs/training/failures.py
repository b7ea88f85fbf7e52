"""A training that an exception cut off, or kept from beginning: what is said of it."""

import traceback
from pathlib import Path

import tensorflow as tf

from kerasbatch.errors import KerasbatchError
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.steps import Plan
from kerasbatch.text import shortened, without_folders

_IN_GRAPH = "Graph execution error:"


def not_started(plan: Plan, error: BaseException) -> Outcome:
    """Return the outcome of a training whose engine could not even start."""
    status, message = describe_failure(error, 0, plan.total_steps)
    ending = "interrupted" if status == RunStatus.INTERRUPTED else "failed"
    return Outcome(
        status=status,
        message=message,
        engine=None,
        why="the training did not begin",
        jit_compile=None,
        step_check=f"ended_early: {ending}",
        observed_steps=0,
        observed_examples=None,
        train_seconds=None,
        compile_seconds=None,
        evaluate_seconds=None,
        metrics={},
        error=traceback_of(error),
    )


def traceback_of(error: BaseException | None) -> str | None:
    """Return the traceback of an error as text, with the names of files and not their paths."""
    if error is None:
        return None
    told = traceback.TracebackException.from_exception(error)
    for frame in told.stack:
        frame.filename = Path(frame.filename).name
    return without_folders("".join(told.format(chain=False)))


def describe_failure(error: BaseException, step: int, total: int) -> tuple[RunStatus, str]:
    """Return status and message of a training that an exception ended after some step."""
    if isinstance(error, KeyboardInterrupt):
        return RunStatus.INTERRUPTED, f"interrupted after {step:,} of {total:,} steps"
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return RunStatus.OUT_OF_MEMORY, f"out of memory after {step:,} steps: {first_line(error)}"
    if isinstance(error, KerasbatchError):
        return RunStatus.FAILED, str(error)
    return RunStatus.FAILED, f"{type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """Return what an exception says, on one line."""
    text = _cause(str(error)) if str(error).startswith(_IN_GRAPH) else str(error)
    return shortened(without_folders(" ".join(text.split())) or type(error).__name__, 300)


def _cause(text: str) -> str:
    """Return what stands behind the places that TensorFlow lists of an error inside a program."""
    lines = [line for line in text.removeprefix(_IN_GRAPH).splitlines() if line.strip()]
    places = (" ", "\t", "Detected at node", "<stack traces")
    told = (line for line in lines if not line.startswith(places))
    return next(told, text)
