"""The interface through which a caller watches runs."""

import sys
from dataclasses import dataclass

from kerasbatch.runs.result import Result
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.steps import Plan
from kerasbatch.types import Progress


@dataclass(frozen=True)
class RunInfo:
    """A run in training.

    Args:
        run_id: the name of its directory.
        single: its spec, and its swept values.
        plan: its counts.
        number: its number in the order of the search, from 1.
        count: the number of runs that the search has asked for so far.
    """

    run_id: str
    single: SingleRun
    plan: Plan
    number: int
    count: int

    @property
    def is_alone(self) -> bool:
        """True if the spec makes one run only."""
        return not self.single.swept


@dataclass(frozen=True)
class SweepProgress:
    """The progress of a sweep.

    Args:
        ended: the number of runs that have ended.
        failed: the number of runs that failed, crashed, or ran out of memory or time.
        total: the number of all runs.
        seconds_left: the estimated time of the rest, or None before the first measurement.
    """

    ended: int
    failed: int
    total: int
    seconds_left: float | None


class Watcher:
    """Is notified while runs train; override any method.

    If `progress` or `sweep_progress` raises KeyboardInterrupt, the runs stop: they end with their
    present block of steps, and keep their results so far.
    """

    def notice(self, message: str) -> None:
        """A message for the user, such as a fallback."""

    def waiting(self) -> None:
        """The runs are being checked; called a few times a second."""

    def start(self, run: RunInfo) -> None:
        """A training begins; a sweep trains several at a time."""

    def progress(self, run: RunInfo, progress: Progress) -> None:
        """A training has progressed; called often."""

    def finish(self, result: Result) -> None:
        """A run has a result, or had it already."""

    def sweep_progress(self, progress: SweepProgress) -> None:
        """The sweep has progressed; called a few times a second."""


class NoteWriter(Watcher):
    """Writes notes for the user to stderr, and is silent about progress."""

    def notice(self, message: str) -> None:
        """Write a message for the user."""
        sys.stderr.write(f"note: {message}\n")
