"""The crew of a sweep on this machine: a worker per core, each a process of its own."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from kerasbatch.data.shared_data import DataFolder
from kerasbatch.runs.executors import resources, worker_failure, worker_process
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_pool import TICK, Worker, WorkerPool, start_failure
from kerasbatch.runs.executors.worker_process import CheckRuns, Order, OrderFailed, WorkerSettings
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access

_SPAWN = multiprocessing.get_context("spawn")


class LocalWorker(Worker):
    """A process that trains one run at a time.

    Args:
        number: its number, from 0.
        settings: what it is told at its beginning.
    """

    def __init__(self, number: int, settings: WorkerSettings) -> None:
        super().__init__(number)
        self.settings = replace(settings, parent=os.getpid())
        self._killed_before: int | None = None
        self.connection, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=worker_process.worker_main, args=(there, self.settings)
        )
        with _spawning():
            self._process.start()
        there.close()  # so that the connection ends with the process

    def order(self, order: Order) -> None:
        """Let it do something as soon as it can."""
        with contextlib.suppress(OSError):  # it is gone; its connection says so to who listens
            self.connection.send(order)

    def train(self, run: PreparedRun, timeout: float | None) -> None:
        """Let it train a run, and note how many processes the kernel had killed by then."""
        self._killed_before = worker_failure.killed_for_memory()
        super().train(run, timeout)

    @property
    def sentinel(self) -> int:
        """What becomes ready when the process has ended; its connection may outlive it.

        A process that own code has forked holds the other end of it too.
        """
        return self._process.sentinel

    def kill(self) -> None:
        """End the process now, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """Wait until a process that was killed, or died, is gone."""
        self._process.join()
        self._process.close()
        self.connection.close()

    def why_gone(self) -> WorkerFailure:
        """Say how the process ended, by its exit code."""
        self._process.join()
        return worker_failure.failure_of_exit(
            self._process.exitcode or 0, self.printed(), self._killed_before
        )

    def printed(self) -> str:
        """Return what it has printed for its run."""
        return worker_process.read_output(self.settings.printed)


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Start a process that neither runs the caller's script again nor hears its Ctrl-C.

    Python imports the main script of the parent in every process that it spawns; without a guard
    around its last lines, the script would begin anew.
    """
    main, held = sys.modules["__main__"], {signal.SIGINT, signal.SIGHUP}
    sys.modules["__main__"] = ModuleType("__main__")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.modules["__main__"] = main


_PREFIX = "kerasbatch-"


class LocalExecutor(WorkerPool[LocalWorker]):
    """Workers on this machine; they start at once, and load TensorFlow meanwhile.

    Args:
        singles: the runs.
        access: what they may reach.
        jobs: how many workers.
        threads: how many threads each of them computes with.
        timeout: the seconds that a run may take, or None.
        verbose: let what runs print, and TensorFlow's log, appear.
    """

    def __init__(
        self,
        singles: Sequence[SingleRun],
        access: Access,
        *,
        jobs: int,
        threads: int,
        timeout: float | None,
        verbose: bool = False,
    ) -> None:
        super().__init__(timeout)
        self._folder, shared = _new_folder(), resources.gpus()
        self._settings = [
            WorkerSettings(
                access=access,
                shared=self.data,
                threads=threads,
                printed=None if verbose else self._folder / f"printed-{number}.txt",
                gpu=shared[number % len(shared)] if shared else None,
                parent=0,
            )
            for number in range(jobs)
        ]
        self._workers = [LocalWorker(n, told) for n, told in enumerate(self._settings)]
        self._workers[0].order(CheckRuns(singles))

    @property
    def data(self) -> DataFolder:
        """The data that all workers share."""
        return DataFolder(self._folder / "data")

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Let one worker check all runs, while the others load TensorFlow."""
        while True:
            for each, message in self._heard():
                if isinstance(message, CheckedRuns):
                    return message
                if isinstance(message, OrderFailed):
                    raise message.error
                if message is None:
                    raise start_failure(each)
            waiting()

    def close(self) -> None:
        """End all workers, and delete what they shared."""
        for each in self._workers:
            each.kill()
        for each in self._workers:
            each.close()
        self._workers = []
        shutil.rmtree(self._folder, ignore_errors=True)

    def _messages(self) -> Iterator[tuple[LocalWorker, Any]]:
        heard = {each.connection: each for each in self._workers}
        ended = {each.sentinel: each for each in self._workers}
        ready = wait([*heard, *ended], TICK)
        for each in [each for connection, each in heard.items() if connection in ready]:
            try:
                message = each.connection.recv()
            except (EOFError, OSError):
                message = None
            yield each, message
        # What it had to say comes first.
        for each in [each for sentinel, each in ended.items() if sentinel in ready]:
            if each in self._workers and not each.connection.poll():
                yield each, None

    def _like(self, gone: LocalWorker) -> LocalWorker:
        return LocalWorker(gone.number, self._settings[gone.number])


def _new_folder() -> Path:
    """Make a folder for what workers share; delete those of processes that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
