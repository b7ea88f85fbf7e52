"""The executor of a sweep on this machine: one worker process per core."""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from types import ModuleType
from typing import Any

from kerasbatch.data.shared_data import DataFolder
from kerasbatch.runs.executors import resources, worker_failure, worker_process
from kerasbatch.runs.executors.output import HIDDEN, Output
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_folder import WorkerFolder
from kerasbatch.runs.executors.worker_pool import TICK, Worker, WorkerPool, start_failure
from kerasbatch.runs.executors.worker_process import CheckRuns, Order, OrderFailed, WorkerSettings
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access

_SPAWN = multiprocessing.get_context("spawn")


class LocalWorker(Worker):
    """A process of this machine that trains one run at a time.

    Args:
        number: its number, from 0.
        settings: the settings of its process.
    """

    def __init__(self, number: int, settings: WorkerSettings) -> None:
        super().__init__(number)
        self.settings = replace(settings, parent=os.getpid())
        self._killed_before: int | None = None
        self.connection, worker_end = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=worker_process.worker_main, args=(worker_end, self.settings)
        )
        with _spawning():
            self._process.start()
        worker_end.close()  # so that the connection ends with the process

    def order(self, order: Order) -> None:
        """Send an order."""
        with contextlib.suppress(OSError):  # it has ended, as its connection shows
            self.connection.send(order)

    def train(self, run: PreparedRun, timeout: float | None) -> None:
        """Order a training, and note how many processes the kernel has killed so far."""
        self._killed_before = worker_failure.killed_for_memory()
        super().train(run, timeout)

    @property
    def sentinel(self) -> int:
        """A handle that becomes ready when the process ends.

        The connection may stay open longer: a process that user code has forked holds it, too.
        """
        return self._process.sentinel

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self) -> None:
        """Wait for the end of a process that was killed or died."""
        self._process.join()
        self._process.close()
        self.connection.close()

    def exit_failure(self) -> WorkerFailure:
        """Return the failure that the exit code stands for."""
        self._process.join()
        return worker_failure.failure_of_exit(
            self._process.exitcode or 0, self.output(), self._killed_before
        )

    def output(self) -> str:
        """Return the output of its run."""
        return worker_process.read_output(self.settings.output)


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Start a process that neither runs the caller's script again nor hears its Ctrl-C.

    Python imports the main script of the parent in every process that it spawns; without a guard
    around its last lines, the script would begin anew.
    """
    main, blocked = sys.modules["__main__"], {signal.SIGINT, signal.SIGHUP}
    sys.modules["__main__"] = ModuleType("__main__")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.modules["__main__"] = main


class LocalExecutor(WorkerPool[LocalWorker]):
    """Workers on this machine; they start at once and load TensorFlow.

    Args:
        singles: the runs.
        access: the files and code that their specs may use.
        jobs: the number of workers.
        threads: the threads of TensorFlow in one worker.
        timeout: the seconds that a run may take, or None.
        output: the treatment of the output of workers.
    """

    def __init__(
        self,
        singles: Sequence[SingleRun],
        access: Access,
        *,
        jobs: int,
        threads: int,
        timeout: float | None,
        output: Output = HIDDEN,
    ) -> None:
        super().__init__(timeout)
        self._folder, gpus = WorkerFolder(), resources.gpus()
        self._settings = [
            WorkerSettings(
                access=access,
                shared=self.data,
                threads=threads,
                output=None if output.shown else self._folder.path / f"output-{number}.txt",
                logged=output.logged,
                gpu=gpus[number % len(gpus)] if gpus else None,
                parent=0,
            )
            for number in range(jobs)
        ]
        self._workers = [LocalWorker(n, settings) for n, settings in enumerate(self._settings)]
        self._workers[0].order(CheckRuns(singles))

    @property
    def data(self) -> DataFolder:
        """The folder of the data that all workers share."""
        return DataFolder(self._folder.path / "data")

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Let one worker check all runs, while the others load TensorFlow."""
        while True:
            for worker, message in self._run_messages():
                if isinstance(message, CheckedRuns):
                    return message
                if isinstance(message, OrderFailed):
                    raise message.error
                if message is None:
                    raise start_failure(worker)
            waiting()

    def close(self) -> None:
        """End all workers, and delete their shared files."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()
        self._workers = []
        self._folder.close()

    def _messages(self) -> Iterator[tuple[LocalWorker, Any]]:
        # The caller may close a worker between two messages, so handles are collected first.
        connections = {worker.connection: worker for worker in self._workers}
        sentinels = {worker.sentinel: worker for worker in self._workers}
        ready = wait([*connections, *sentinels], TICK)
        for worker in [connections[handle] for handle in connections if handle in ready]:
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                message = None
            yield worker, message
        # The messages of a worker come before its end.
        for worker in [sentinels[handle] for handle in sentinels if handle in ready]:
            if worker in self._workers and not worker.connection.poll():
                yield worker, None

    def _replacement(self, lost: LocalWorker) -> LocalWorker:
        return LocalWorker(lost.number, self._settings[lost.number])
