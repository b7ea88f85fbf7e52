"""One worker on this machine, seen from the process that gives it runs."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

from kerasbatch.runs import loss, worker
from kerasbatch.runs.crew import Loss
from kerasbatch.runs.prepared import Prepared
from kerasbatch.runs.worker import Order, Settings, Stop, Train

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
        self.ready = False
        self.run: Prepared | None = None
        self._deadline: float | None = None
        self._timeout: float | None = None
        self._killed_before: int | None = None
        self.connection, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=worker.main, args=(there, self.settings))
        with _spawning():
            self._process.start()
        there.close()  # so that the connection ends with the process

    def order(self, order: Order) -> None:
        """Let it do something as soon as it can."""
        with contextlib.suppress(OSError):  # it is gone; its connection says so to who listens
            self.connection.send(order)

    def train(self, run: Prepared, timeout: float | None) -> None:
        """Let it train a run.

        Args:
            run: the run.
            timeout: the seconds after which it is ended, or None.
        """
        self.run, self._killed_before = run, loss.killed_for_memory()
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.order(Train(run))

    def ended(self) -> None:
        """Take note that its run has ended."""
        self.run = self._deadline = None

    def stop(self) -> None:
        """Let its run stop after the present block of steps."""
        self.order(Stop())

    def is_late(self) -> bool:
        """Tell whether its run takes longer than it may."""
        return self._deadline is not None and time.monotonic() > self._deadline

    def kill(self) -> None:
        """End the process now, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """Wait until a process that was killed, or died, is gone."""
        self._process.join()
        self._process.close()
        self.connection.close()

    def why_lost(self) -> Loss:
        """Say how the process ended."""
        if self._timeout is not None and self.is_late():
            return loss.timeout(self._timeout, self.printed())
        self._process.join()
        return loss.why(self._process.exitcode or 0, self.printed(), self._killed_before)

    def printed(self) -> str:
        """Return what it has printed for its run."""
        file = self.settings.printed
        if file is None or not file.exists():
            return ""
        return file.read_bytes()[-worker.MAX_PRINTED :].decode("utf-8", "replace")


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
