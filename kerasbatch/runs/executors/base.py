"""The seam between a sweep and what trains its runs: this process, workers here, a cluster."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.messages import Message
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun


class Desk(Protocol):
    """What a crew asks and tells; all of it in the thread that called the crew."""

    def next_run(self, worker: int) -> PreparedRun | None:
        """Return what a free worker is to train next, or None if nothing is left."""

    def hear(self, run: PreparedRun, message: Message) -> None:
        """Take a message of a run that is being trained."""

    def lost(self, run: PreparedRun, loss: WorkerFailure) -> None:
        """Take note that a run will tell nothing any more."""

    def tick(self) -> None:
        """Do what is due; called a few times a second."""

    def heed(self) -> None:
        """Raise KeyboardInterrupt if the runs are to stop; called a few times a second."""


class Executor(ABC):
    """Workers that check and train runs."""

    @abstractmethod
    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Check all runs before anything is written.

        Args:
            waiting: called a few times a second; may raise KeyboardInterrupt.

        Raises:
            SpecError: if something is wrong with them.
            WorkerError: if no worker lives long enough to say so.
        """

    @abstractmethod
    def work(self, desk: Desk) -> bool:
        """Train what the desk hands out, until nothing is left; return False if interrupted."""

    @abstractmethod
    def close(self) -> None:
        """Let all workers go."""
