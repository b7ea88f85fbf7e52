"""The executor of runs that are all finished: there is nothing to train, and nothing to load."""

from collections.abc import Callable

from kerasbatch.errors import WorkerError
from kerasbatch.runs.executors.base import Executor, RunQueue
from kerasbatch.runs.prepare.prepared_run import CheckedRuns
from kerasbatch.runs.stop_request import StopRequest


class NoExecutor(Executor):
    """Hands out the finished runs.

    Args:
        checked: the runs.
    """

    def __init__(self, checked: CheckedRuns) -> None:
        self._checked = checked

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Return the runs."""
        return self._checked

    def work(self, queue: RunQueue, stop: StopRequest) -> bool:
        """Raise WorkerError: results were removed since they were found."""
        raise WorkerError("results were removed meanwhile; run the same command again")

    def close(self) -> None:
        """Do nothing: there are no workers."""
