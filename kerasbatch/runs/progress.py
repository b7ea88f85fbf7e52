"""What a caller may hear of while runs go on."""

from dataclasses import dataclass

from kerasbatch.runs.result import Result
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.steps import Plan
from kerasbatch.types import Progress


@dataclass(frozen=True)
class RunInfo:
    """A run that is being trained.

    Args:
        run_id: the name of its directory.
        single: its spec, and what was swept.
        plan: its counts.
        number: its number in the grid, from 1.
        of: how many runs the grid has.
    """

    run_id: str
    single: SingleRun
    plan: Plan
    number: int
    of: int


@dataclass(frozen=True)
class SweepProgress:
    """Where a sweep stands.

    Args:
        ended: the runs that have ended, whatever their end.
        failed: those of them that failed, crashed, or ran out of memory or time.
        total: how many runs there are.
        seconds_left: how long the rest will take, or None while nothing is known.
    """

    ended: int
    failed: int
    total: int
    seconds_left: float | None


class Watcher:
    """What a caller may want to hear of while runs go on; every method may be overridden."""

    def notice(self, message: str) -> None:
        """Something that a person must know, such as a fallback."""

    def waiting(self) -> None:
        """The runs are being checked; called a few times a second."""

    def start(self, running: RunInfo) -> None:
        """A training begins; in a sweep others may go on beside it."""

    def progress(self, running: RunInfo, progress: Progress) -> None:
        """A training moved on."""

    def finish(self, result: Result) -> None:
        """A run has its result, or had it already."""

    def standing(self, standing: SweepProgress) -> None:
        """Where all runs stand; a few times a second."""

    def heed(self) -> None:
        """Called a few times a second while runs go on; may raise KeyboardInterrupt.

        Then the runs end with their present block of steps, and keep what they have.
        """
