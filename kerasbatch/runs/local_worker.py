"""One worker on this machine, seen from the process that gives it runs."""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

from kerasbatch.runs import loss, worker
from kerasbatch.runs.crew import Loss
from kerasbatch.runs.pool import PoolWorker
from kerasbatch.runs.prepared import Prepared
from kerasbatch.runs.worker import Order, Settings

_SPAWN = multiprocessing.get_context("spawn")


class LocalWorker(PoolWorker):
    """A process that trains one run at a time.

    Args:
        number: its number, from 0.
        settings: what it is told at its beginning.
    """

    def __init__(self, number: int, settings: Settings) -> None:
        super().__init__(number)
        self.settings = replace(settings, parent=os.getpid())
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
        """Let it train a run, and note how many processes the kernel had killed by then."""
        self._killed_before = loss.killed_for_memory()
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

    def why_gone(self) -> Loss:
        """Say how the process ended, by its exit code."""
        self._process.join()
        return loss.why(self._process.exitcode or 0, self.printed(), self._killed_before)

    def printed(self) -> str:
        """Return what it has printed for its run."""
        return worker.printed(self.settings.printed)


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
