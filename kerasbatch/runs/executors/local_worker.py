"""A worker process of this machine, seen from its pool.

A thread reads its messages, so that a process that is stopped in the middle of one blocks nobody.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors import worker_failure, worker_process
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_pool import Worker
from kerasbatch.runs.executors.worker_protocol import Order, WorkerSettings
from kerasbatch.runs.prepare.prepared_run import PreparedRun

GRACE = 1.0
"""The seconds between the end of a connection and that of its process, or the other way round.

A process that user code has forked holds the connection, too; and user code may close it.
"""
_SPAWN = multiprocessing.get_context("spawn")


class LocalWorker(Worker):
    """A process of this machine that trains one run at a time.

    Args:
        number: its number, from 0.
        settings: the settings of its process.
        inbox: receives this worker with each of its messages.
    """

    def __init__(
        self, number: int, settings: WorkerSettings, inbox: "queue.Queue[tuple[LocalWorker, Any]]"
    ) -> None:
        super().__init__(number)
        self.settings = replace(settings, parent=os.getpid())
        self._killed_before: int | None = None
        self._inbox, self._half_ended = inbox, float("inf")
        self._delivered = self._delivered_before = 0
        self._connection, worker_end = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=worker_process.worker_main, args=(worker_end, self.settings)
        )
        with _spawning():
            self._process.start()
        worker_end.close()  # so that the connection ends with the process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Read messages until the connection ends, or holds something else than messages."""
        try:
            while True:
                self._inbox.put((self, self._connection.recv()))
                self._delivered += 1
        except Exception:  # user code may have written anything into the connection
            self._connection.close()

    def order(self, order: Order) -> None:
        """Send an order."""
        with contextlib.suppress(OSError):  # it has ended, as `has_ended` tells
            self._connection.send(order)

    def train(self, run: PreparedRun, timeout: float | None) -> None:
        """Order a training, and note how many processes the kernel has killed so far."""
        self._killed_before = worker_failure.killed_for_memory()
        super().train(run, timeout)

    def has_ended(self) -> bool:
        """Return whether no message will come; all that came are in the inbox."""
        ended = not self._reader.is_alive(), not self._process.is_alive()
        is_delivering = self._delivered > self._delivered_before
        self._delivered_before = self._delivered
        if all(ended) or not any(ended) or is_delivering:
            self._half_ended = float("inf")
            return all(ended)
        self._half_ended = min(self._half_ended, time.monotonic())
        return time.monotonic() > self._half_ended + GRACE

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self) -> None:
        """End the process, if it has not ended, and wait for its end."""
        self._process.kill()
        self._process.join()
        self._process.close()

    def exit_failure(self) -> WorkerFailure:
        """Return the failure that the exit code stands for."""
        self._process.join(GRACE)
        if self._process.is_alive():
            self.kill()
            message = "it closed the connection to the process that started it"
            return WorkerFailure(RunStatus.CRASHED, message, self.output() or None)
        return worker_failure.failure_of_exit(
            self._process.exitcode or 0, self.output(), self._killed_before
        )

    def output(self) -> str:
        """Return the output of its run."""
        return worker_process.read_output(self.settings.output)


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Start a process that neither runs the caller's script again nor hears its signals.

    Python imports the main script of the parent in every process that it spawns; without a guard
    around its last lines, the script would begin anew.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, worker_process.STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.modules["__main__"] = main
