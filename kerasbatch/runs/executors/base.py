"""The interface of an executor: this process, workers on this machine, a Ray cluster."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.messages import Message
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.runs.stop_request import StopRequest


class RunQueue(Protocol):
    """The side of the coordinator that an executor sees; called from the executor's thread."""

    def next_run(self, worker: int, code: str | None = "") -> PreparedRun | None:
        """Return the next run for a free worker, or None if there is none for it.

        Args:
            worker: its number.
            code: the key of the user code that it has run, so that it may train only runs of the
                same code; empty without any; None if it must train no other run.
        """

    def has_runs(self) -> bool:
        """Return whether any run waits for a worker."""

    def is_ended(self, run: PreparedRun) -> bool:
        """Return whether a run was ended, so that its worker must leave it."""

    def on_message(self, run: PreparedRun, message: Message) -> None:
        """Process a message of a run in training."""

    def on_failure(self, run: PreparedRun, failure: WorkerFailure) -> None:
        """Process the loss of a run's worker; no message follows."""

    def tick(self) -> None:
        """Do periodic work; called a few times a second."""


class Executor(ABC):
    """Workers that check and train runs."""

    @abstractmethod
    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Check all runs before anything is written.

        Args:
            waiting: called a few times a second; may raise KeyboardInterrupt.

        Raises:
            SpecError: if a run is invalid.
            WorkerError: if no worker can start.
        """

    @abstractmethod
    def work(self, queue: RunQueue, stop: StopRequest) -> bool:
        """Train the runs of a queue until none is left; return False if interrupted."""

    @abstractmethod
    def close(self) -> None:
        """End all workers."""
