"""The status and message of a training that an exception ended."""

import sysconfig
import tempfile
import traceback
from pathlib import Path

import kerasbatch
from kerasbatch.engine.backend import backend
from kerasbatch.errors import KerasbatchError
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.steps import Plan
from kerasbatch.text import shortened, without_folders

_IN_GRAPH = "Graph execution error:"
_LIBRARIES = (
    str(Path(kerasbatch.__file__).parent),
    tempfile.gettempdir() + "/__autograph",
    *map(sysconfig.get_path, ("stdlib", "purelib", "platlib")),
)
"""The folders of all code that is not the user's."""


def not_started(plan: Plan, error: BaseException) -> Outcome:
    """Return the outcome of a training whose engine could not start."""
    status, message = describe_failure(error, 0, plan.total_steps)
    return Outcome(
        status=status,
        message=message,
        engine=None,
        why="the training did not begin",
        jit_compile=None,
        step_check=f"ended_early: {status}",
        observed_steps=0,
        observed_examples=None,
        train_seconds=None,
        compile_seconds=None,
        evaluate_seconds=None,
        metrics={},
        error=traceback_of(error),
    )


def traceback_of(error: BaseException | None) -> str | None:
    """Return the traceback of an error as text, with file names instead of paths."""
    if error is None:
        return None
    report = traceback.TracebackException.from_exception(error)
    for frame in report.stack:
        frame.filename = Path(frame.filename).name
    return without_folders("".join(report.format(chain=False)))


def describe_failure(error: BaseException, step: int, total: int) -> tuple[RunStatus, str]:
    """Return status and message of a training that an exception ended after some step."""
    status = failure_status(error)
    if status == RunStatus.INTERRUPTED:
        return status, f"interrupted after {step:,} of {total:,} steps"
    if status == RunStatus.OUT_OF_MEMORY:
        return status, f"out of memory after {step:,} steps: {first_line(error)}"
    if isinstance(error, KerasbatchError):
        return status, str(error)
    return status, f"{type(error).__name__}: {first_line(error)}{_place_in_own_code(error)}"


def _place_in_own_code(error: BaseException) -> str:
    """Return the last line of the user's code in a traceback, like ` (mine.py:63)`; or empty."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*_LIBRARIES, "<"))]
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def failure_status(error: BaseException) -> RunStatus:
    """Return the status of a training that an exception ended."""
    if isinstance(error, KeyboardInterrupt):
        return RunStatus.INTERRUPTED
    if backend().is_out_of_memory(error):
        return RunStatus.OUT_OF_MEMORY
    return RunStatus.FAILED


def first_line(error: BaseException) -> str:
    """Return the message of an exception on one line."""
    text = _cause(str(error)) if str(error).startswith(_IN_GRAPH) else str(error)
    return shortened(without_folders(" ".join(text.split())) or type(error).__name__, 300)


def _cause(text: str) -> str:
    """Return the cause of an error inside a program, without TensorFlow's list of places."""
    lines = [line for line in text.removeprefix(_IN_GRAPH).splitlines() if line.strip()]
    places = (" ", "\t", "Detected at node", "<stack traces")
    messages = (line for line in lines if not line.startswith(places))
    return next(messages, text)
