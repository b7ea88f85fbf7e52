"""What all pools of workers do alike, wherever the workers are: hand out, listen, replace, stop."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from kerasbatch.errors import WorkerError
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors import worker_failure
from kerasbatch.runs.executors.base import Desk, Executor
from kerasbatch.runs.executors.interrupts import deferred_interrupt
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_process import (
    Order,
    OrderFailed,
    StopRun,
    TrainRun,
    WorkerReady,
)
from kerasbatch.runs.messages import RunEnded
from kerasbatch.runs.prepare.prepared_run import PreparedRun

MOST_FALSE_STARTS = 3
"""So many workers in a row may die before they are ready; then something is wrong with all."""
TICK = 0.2
"""Seconds that go by at most until what is due is done."""


class Worker(ABC):
    """A process that trains one run at a time, seen from the one that gives it runs.

    Args:
        number: its number, from 0.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.ready = False
        self.condemned = False
        self.run: PreparedRun | None = None
        self._deadline: float | None = None
        self._timeout: float | None = None

    @abstractmethod
    def order(self, order: Order) -> None:
        """Let it do something as soon as it can."""

    @abstractmethod
    def kill(self) -> None:
        """End the process now, whatever it does."""

    def condemn(self) -> None:
        """Give up a process whose run takes too long; it gets no other one."""
        self.condemned = True
        self.kill()

    @abstractmethod
    def close(self) -> None:
        """Wait until a process that was killed, or died, is gone."""

    @abstractmethod
    def printed(self) -> str:
        """Return what it has printed for its run."""

    @abstractmethod
    def why_gone(self) -> WorkerFailure:
        """Say how a process ended that was not ended by us."""

    def train(self, run: PreparedRun, timeout: float | None) -> None:
        """Let it train a run.

        Args:
            run: the run.
            timeout: the seconds after which it is ended, or None.
        """
        self.run, self._timeout = run, timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.order(TrainRun(run))

    def ended(self) -> None:
        """Take note that its run has ended."""
        self.run = self._deadline = None

    def stop(self) -> None:
        """Let its run stop after the present block of steps."""
        self.order(StopRun())

    def is_late(self) -> bool:
        """Tell whether its run takes longer than it may."""
        return self._deadline is not None and time.monotonic() > self._deadline

    def why_lost(self) -> WorkerFailure:
        """Say how the process ended."""
        if self._timeout is not None and self.is_late():
            return worker_failure.failure_of_timeout(self._timeout, self.printed())
        return self.why_gone()


W = TypeVar("W", bound=Worker)


class WorkerPool(Executor, Generic[W]):
    """A crew of workers that are processes of their own.

    Args:
        timeout: the seconds that a run may take, or None.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._workers: list[W] = []
        self._never_ready = 0

    @abstractmethod
    def _messages(self) -> Iterator[tuple[W, Any]]:
        """Yield what workers tell within a tick; None of those that are gone."""

    @abstractmethod
    def _like(self, gone: W) -> W:
        """Return a new worker for the place of one that is gone."""

    def work(self, desk: Desk) -> bool:
        """Keep every worker busy until nothing is left; the first interrupt lets runs end."""
        with deferred_interrupt() as heed:
            return self._work(desk, heed)

    def _work(self, desk: Desk, heed: Callable[[], None]) -> bool:
        left, stopping = True, False
        while True:
            try:
                if not stopping:
                    heed()
                    desk.heed()
                    left = self._hand_out(desk)
                if not self._busy() and (stopping or not left):
                    return not stopping
                self._listen(desk)
                desk.tick()
            except KeyboardInterrupt:
                if stopping:
                    self._drop(desk)
                    return False
                stopping = True
                for each in self._busy():
                    each.stop()

    def _busy(self) -> list[W]:
        return [each for each in self._workers if each.run is not None]

    def _hand_out(self, desk: Desk) -> bool:
        """Give every free worker a run; return False if none is left."""
        for each in self._workers:
            if each.ready and each.run is None and not each.condemned:
                run = desk.next_run(each.number)
                if run is None:
                    return False
                each.train(run, self._timeout)
        return True

    def _listen(self, desk: Desk) -> None:
        """Take what the workers tell; end what takes too long; replace who is gone."""
        for each, message in self._heard():
            run = each.run
            if message is None:
                self._replace(each, desk)
            elif run is not None:
                if isinstance(message, OrderFailed):
                    error = f"{type(message.error).__name__}: {message.error}"
                    desk.lost(
                        run,
                        WorkerFailure(
                            RunStatus.FAILED, error, worker_failure.last_output(each.printed())
                        ),
                    )
                else:
                    desk.hear(run, message)
                if isinstance(message, RunEnded | OrderFailed):
                    each.ended()
        for each in self._busy():
            if each.is_late() and not each.condemned:
                each.condemn()

    def _heard(self) -> Iterator[tuple[W, Any]]:
        """Yield what workers tell of orders; None of those that are gone."""
        for each, message in self._messages():
            if message is not None:
                each.ready, self._never_ready = True, 0  # TensorFlow is loaded
            if not isinstance(message, WorkerReady):
                yield each, message

    def _replace(self, gone: W, desk: Desk) -> None:
        """Put a new worker in the place of one that is gone; only its run is lost with it."""
        self._never_ready += not gone.ready
        if self._never_ready >= MOST_FALSE_STARTS:
            raise start_failure(gone)
        if gone.run is not None:
            desk.lost(gone.run, gone.why_lost())
        gone.close()
        self._workers[self._workers.index(gone)] = self._like(gone)

    def _drop(self, desk: Desk) -> None:
        """End all runs at once."""
        for each in self._busy():
            each.kill()
            if each.run is not None:
                desk.lost(
                    each.run,
                    WorkerFailure(RunStatus.INTERRUPTED, "stopped at once, in a block of steps"),
                )
                each.ended()


def start_failure(gone: Worker) -> WorkerError:
    """Return the error that ends a sweep whose workers cannot even begin."""
    lost = gone.why_lost()
    words = f"; it printed last: {lost.error.splitlines()[-1]}" if lost.error else ""
    return WorkerError(
        f"a worker could not load TensorFlow, or check the runs: {lost.message}{words}"
    )
