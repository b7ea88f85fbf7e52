"""The work of all pools of workers: hand out runs, listen, replace lost workers, stop."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from kerasbatch.cache.progress import show
from kerasbatch.errors import WorkerError
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors import worker_failure
from kerasbatch.runs.executors.base import Executor, RunQueue
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_protocol import (
    DataProgress,
    Order,
    OrderFailed,
    StateChanged,
    StopRun,
    TrainRun,
    WorkerReady,
)
from kerasbatch.runs.messages import RunEnded
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.stop_request import StopRequest

MAX_FAILED_STARTS = 3
"""The workers in a row that may die before they are ready; then every worker would."""
TICK = 0.2
"""The longest time in seconds between two calls of periodic work."""


class Worker(ABC):
    """A process that trains one run at a time, seen from its pool.

    Args:
        number: its number, from 0.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.ready = False
        self.is_ending = False
        self.code: str | None = ""
        self.run: PreparedRun | None = None
        self._deadline: float | None = None
        self._timeout: float | None = None

    @abstractmethod
    def order(self, order: Order) -> None:
        """Send an order."""

    @abstractmethod
    def kill(self) -> None:
        """End the process at once."""

    @abstractmethod
    def close(self) -> None:
        """Wait for the end of a process that was killed or died."""

    @abstractmethod
    def output(self) -> str:
        """Return the output of its run."""

    @abstractmethod
    def exit_failure(self) -> WorkerFailure:
        """Return the failure of a process that ended by itself."""

    def train(self, run: PreparedRun, timeout: float | None) -> None:
        """Order a training.

        Args:
            run: the run.
            timeout: the seconds after which it is ended, or None.
        """
        self.run, self._timeout = run, timeout
        self.code = self.code or run.code_key
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.order(TrainRun(run))

    def on_run_ended(self) -> None:
        """Forget the run."""
        self.run = self._deadline = None

    def stop(self) -> None:
        """Order a stop after the present block of steps."""
        self.order(StopRun())

    def is_late(self) -> bool:
        """Return whether the run takes longer than its timeout."""
        return self._deadline is not None and time.monotonic() > self._deadline

    def kill_if_late(self) -> None:
        """End a process whose run takes too long."""
        if self.is_late():
            self.discard()

    def discard(self) -> None:
        """End the process at once; it gets no other run."""
        if not self.is_ending:
            self.is_ending = True
            self.kill()

    def failure(self) -> WorkerFailure:
        """Return the failure of a process that has ended."""
        if self._timeout is not None and self.is_late():
            return worker_failure.failure_of_timeout(self._timeout, self.output())
        return self.exit_failure()


W = TypeVar("W", bound=Worker)


class WorkerPool(Executor, Generic[W]):
    """An executor whose workers are processes of their own.

    Args:
        timeout: the seconds that a run may take, or None.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._workers: list[W] = []
        self._failed_starts = 0

    @abstractmethod
    def _messages(self) -> Iterator[tuple[W, Any]]:
        """Yield the messages of workers within a tick; None from a worker that has ended."""

    @abstractmethod
    def _replacement(self, lost: W) -> W:
        """Return a new worker for the place of one that has ended."""

    def work(self, queue: RunQueue, stop: StopRequest) -> bool:
        """Keep every worker busy until no run is left; the first interrupt lets runs end."""
        runs_left, stopping = True, False
        while True:
            try:
                if stopping:
                    stop.raise_if_repeated()
                else:
                    stop.raise_if_requested()
                    runs_left = self._hand_out(queue)
                if not self._busy() and (stopping or not runs_left):
                    return not stopping
                self._listen(queue)
                queue.tick()
            except KeyboardInterrupt:
                if stopping:
                    self._drop(queue)
                    return False
                stopping = True
                for worker in self._busy():
                    worker.stop()

    def _busy(self) -> list[W]:
        return [worker for worker in self._workers if worker.run is not None]

    def _hand_out(self, queue: RunQueue) -> bool:
        """Give a run to every free worker; return False if no run is left."""
        for worker in list(self._workers):
            if not worker.ready or worker.run is not None or worker.is_ending:
                continue
            run = queue.next_run(worker.number, worker.code)
            if run is not None:
                worker.train(run, self._timeout)
            elif queue.has_runs():
                self._renew(worker)
        return queue.has_runs()

    def _renew(self, worker: W) -> None:
        """Replace a worker that ran user code, before it trains a run of other code."""
        worker.kill()
        worker.close()
        self._workers[self._workers.index(worker)] = self._replacement(worker)

    def _listen(self, queue: RunQueue) -> None:
        """Process messages, end late runs, replace lost workers."""
        for worker, message in self._run_messages():
            if message is None:
                self._replace(worker, queue)
            elif worker.run is not None:
                self._on_message(worker, worker.run, message, queue)
        for worker in self._busy():
            worker.kill_if_late()
            if worker.run is not None and queue.is_ended(worker.run):
                worker.on_run_ended()
                worker.discard()

    def _on_message(self, worker: W, run: PreparedRun, message: Any, queue: RunQueue) -> None:
        if isinstance(message, RunEnded | OrderFailed):
            worker.on_run_ended()  # first, because a watcher may interrupt the rest
        if isinstance(message, OrderFailed):
            error = f"{type(message.error).__name__}: {message.error}"
            output = worker_failure.last_output(worker.output())
            queue.on_failure(run, WorkerFailure(RunStatus.FAILED, error, output))
        else:
            queue.on_message(run, message)

    def _run_messages(self) -> Iterator[tuple[W, Any]]:
        """Yield the messages of runs; None from a worker that has ended."""
        for worker, message in self._messages():
            if message is not None:
                worker.ready, self._failed_starts = True, 0  # TensorFlow is loaded
            if isinstance(message, StateChanged):
                worker.code = None
            elif isinstance(message, DataProgress):
                show(message.line)
            elif not isinstance(message, WorkerReady):
                yield worker, message

    def _replace(self, lost: W, queue: RunQueue) -> None:
        """Start a new worker in the place of a lost one; only the lost one's run is lost."""
        self._failed_starts += not lost.ready
        if self._failed_starts >= MAX_FAILED_STARTS:
            raise start_failure(lost)
        if lost.run is not None:
            queue.on_failure(lost.run, lost.failure())
        lost.close()
        self._workers[self._workers.index(lost)] = self._replacement(lost)

    def _drop(self, queue: RunQueue) -> None:
        """End all runs at once."""
        failure = WorkerFailure(RunStatus.INTERRUPTED, "stopped at once, in a block of steps")
        for worker in self._busy():
            worker.kill()
            if worker.run is not None:
                queue.on_failure(worker.run, failure)
                worker.on_run_ended()


def start_failure(lost: Worker) -> WorkerError:
    """Return the error of a sweep whose workers cannot start."""
    failure = lost.failure()
    output = f"; it printed last: {failure.error.splitlines()[-1]}" if failure.error else ""
    return WorkerError(
        f"a worker could not load TensorFlow, or check the runs: {failure.message}{output}"
    )
