"""The crew of a sweep on this machine: a worker per core, each a process of its own."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil
from pebble import ProcessExpired

from kerasbatch.errors import WorkerError
from kerasbatch.runs import machine_share, worker
from kerasbatch.runs.crew import Crew, Desk, Loss
from kerasbatch.runs.local_worker import LocalWorker
from kerasbatch.runs.messages import Ended
from kerasbatch.runs.prepared import Checked
from kerasbatch.runs.worker import Ready, Settings
from kerasbatch.spec.access import Access
from kerasbatch.spec.sweep import SingleRun

TICK = 0.2
"""Seconds that go by at most until what is due is done."""
_PREFIX = "kerasbatch-"


class LocalPool(Crew):
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
        self._singles, self._timeout = singles, timeout
        self._folder, shared = _new_folder(), machine_share.gpus()
        self._settings = [
            Settings(
                access=access,
                shared=self._folder / "data",
                threads=threads,
                printed=None if verbose else self._folder / f"printed-{number}.txt",
                gpu=shared[number % len(shared)] if shared else None,
                parent=0,
            )
            for number in range(jobs)
        ]
        self._workers = [LocalWorker(n, told) for n, told in enumerate(self._settings)]
        self._checking: Any = self._workers[0].call(worker.check, singles)

    def check(self, waiting: Callable[[], None]) -> Checked:
        """Let one worker check all runs, while the others load TensorFlow."""
        while not self._checking.done():
            for lost in self._listen(None):
                raise _not_started(lost)
            waiting()
        try:
            checked: Checked = self._checking.result()
        except ProcessExpired:
            raise _not_started(self._workers[0]) from None
        return checked

    def work(self, desk: Desk) -> bool:
        """Keep every worker busy until nothing is left; the first interrupt lets runs end."""
        left, stopping = True, False
        while True:
            try:
                if not stopping:
                    desk.heed()
                    left = self._hand_out(desk)
                if not self._busy() and (stopping or not left):
                    return not stopping
                for lost in self._listen(desk):
                    self._replace(lost, desk)
                desk.tick()
            except KeyboardInterrupt:
                if stopping:
                    self._drop(desk)
                    return False
                stopping = True
                for each in self._busy():
                    each.ask_to_stop()

    def close(self) -> None:
        """End all workers, and delete what they shared."""
        for each in self._workers:
            each.kill()
        for each in self._workers:
            each.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _busy(self) -> list[LocalWorker]:
        return [each for each in self._workers if each.run is not None]

    def _hand_out(self, desk: Desk) -> bool:
        """Give every free worker a run; return False if none is left."""
        for each in self._workers:
            if each.ready and each.run is None:
                run = desk.next_run(each.number)
                if run is None:
                    return False
                each.train(run, self._timeout)
        return True

    def _listen(self, desk: Desk | None) -> list[LocalWorker]:
        """Take what the workers tell; return those that will tell nothing any more."""
        speaking = {each.connection: each for each in self._workers}
        lost = []
        for connection in wait(list(speaking), TICK):
            each = speaking[connection]  # type: ignore[index]  # what we asked to wait for
            try:
                message = each.connection.recv()
            except (EOFError, OSError):
                lost.append(each)
                continue
            if isinstance(message, Ready):
                each.ready, each.pid = True, message.pid
            elif desk is not None and (run := each.run) is not None:
                if isinstance(message, Ended):
                    each.done()
                desk.hear(run, message)
        return lost + [each for each in self._workers if each.failed_silently()]

    def _replace(self, lost: LocalWorker, desk: Desk) -> None:
        """Put a new worker in the place of one that was lost; only its run is lost with it."""
        if not lost.ready:
            raise _not_started(lost)
        if lost.run is not None:
            desk.lost(lost.run, lost.why_lost())
        lost.kill()
        lost.join()
        self._workers[self._workers.index(lost)] = LocalWorker(lost.number, lost.settings)

    def _drop(self, desk: Desk) -> None:
        """End all runs at once."""
        for each in self._busy():
            run = each.run
            each.kill()
            if run is not None:
                desk.lost(run, Loss("interrupted", "stopped at once, in the middle of a block"))


def _not_started(lost: LocalWorker) -> WorkerError:
    return WorkerError(f"a worker could not load or check the runs: {lost.why_lost().message}")


def _new_folder() -> Path:
    """Make a folder for what workers share; delete those of processes that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
