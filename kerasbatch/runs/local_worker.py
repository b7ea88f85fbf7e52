"""One worker on this machine, seen from the process that gives it runs.

Pebble starts the process, ends it when its time is up, and knows how it ended. Every worker is a
pool of its own, so that we choose which worker gets which run.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from types import ModuleType
from typing import Any

from pebble import ProcessPool

from kerasbatch.runs import loss, worker
from kerasbatch.runs.crew import Loss
from kerasbatch.runs.prepared import Prepared
from kerasbatch.runs.worker import Settings

_SPAWN = multiprocessing.get_context("spawn")


class LocalWorker:
    """A process that trains one run at a time.

    Args:
        number: its number, from 0.
        settings: what it is told at its beginning.
    """

    def __init__(self, number: int, settings: Settings) -> None:
        self.number = number
        self.settings = replace(settings, parent=os.getpid())
        self.run: Prepared | None = None
        self.ready, self.pid = False, 0
        self._killed_before: int | None = None
        self.connection, there = _SPAWN.Pipe()
        self._pool = ProcessPool(
            1, initializer=worker.begin, initargs=(there, self.settings), context=_SPAWN
        )
        with _spawning():
            self._future: Future[Any] = self._pool.schedule(os.getpid)
        there.close()  # so that the connection ends with the process

    def call(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Let it do something as soon as it can."""
        self._future = self._pool.schedule(function, arguments)
        return self._future

    def train(self, run: Prepared, timeout: float | None) -> None:
        """Let it train a run.

        Args:
            run: the run.
            timeout: the seconds after which it is ended, or None.
        """
        self.run, self._killed_before = run, loss.killed_for_memory()
        self._future = self._pool.schedule(worker.train, (run,), timeout=timeout)

    def done(self) -> None:
        """Take note that the run has told its end; wait for the process to know that too."""
        self.run = None
        with contextlib.suppress(TimeoutError):
            self._future.exception(timeout=loss.GRACE)

    def failed_silently(self) -> bool:
        """Tell whether its run ended without a word, though the process lives."""
        return self.run is not None and self._future.done() and not self.connection.poll()

    def why_lost(self) -> Loss:
        """Say how it ended."""
        return loss.why(self._future, self.printed(), self._killed_before)

    def printed(self) -> str:
        """Return what it has printed for its run."""
        file = self.settings.printed
        if file is None or not file.exists():
            return ""
        return file.read_bytes()[-worker.MAX_PRINTED :].decode("utf-8", "replace")

    def ask_to_stop(self) -> None:
        """Let its run stop after the present block of steps."""
        with contextlib.suppress(OSError):  # it is gone already
            self.connection.send("stop")

    def kill(self) -> None:
        """End the process now, whatever it does."""
        self.run = None
        self._pool.stop()  # type: ignore[no-untyped-call]  # first, or it would replace the process
        for process in multiprocessing.active_children():
            if process.pid == self.pid:
                process.kill()

    def join(self) -> None:
        """Wait until the process is gone."""
        self._pool.join()
        self.connection.close()


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
