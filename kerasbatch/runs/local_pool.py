"""The crew of a sweep on this machine: a worker per core, each a process of its own."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil

from kerasbatch.errors import WorkerError
from kerasbatch.runs import loss, machine_share
from kerasbatch.runs.crew import Crew, Desk, Loss
from kerasbatch.runs.local_worker import LocalWorker
from kerasbatch.runs.messages import Ended
from kerasbatch.runs.prepared import Checked
from kerasbatch.runs.worker import Check, Failed, Ready, Settings
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
        self._workers[0].order(Check(singles))

    def check(self, waiting: Callable[[], None]) -> Checked:
        """Let one worker check all runs, while the others load TensorFlow."""
        while True:
            for each, message in self._heard():
                if isinstance(message, Checked):
                    return message
                if isinstance(message, Failed):
                    raise message.error
                if message is None:
                    raise _not_started(each)
            waiting()

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
                self._listen(desk)
                desk.tick()
            except KeyboardInterrupt:
                if stopping:
                    self._drop(desk)
                    return False
                stopping = True
                for each in self._busy():
                    each.stop()

    def close(self) -> None:
        """End all workers, and delete what they shared."""
        for each in self._workers:
            each.kill()
        for each in self._workers:
            each.close()
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

    def _listen(self, desk: Desk) -> None:
        """Take what the workers tell; end what takes too long; replace who is gone."""
        for each, message in self._heard():
            run = each.run
            if message is None:
                self._replace(each, desk)
            elif run is not None:
                if isinstance(message, Failed):
                    error = f"{type(message.error).__name__}: {message.error}"
                    desk.lost(run, Loss("failed", error, loss.last_words(each.printed())))
                else:
                    desk.hear(run, message)
                if isinstance(message, Ended | Failed):
                    each.ended()
        for each in self._busy():
            if each.is_late():
                each.kill()

    def _heard(self) -> Iterator[tuple[LocalWorker, Any]]:
        """Yield what workers tell, one message each; None of those that are gone."""
        speaking = {each.connection: each for each in self._workers}
        for connection in wait(list(speaking), TICK):
            each = speaking[connection]  # type: ignore[index]  # what we asked to wait for
            try:
                message = each.connection.recv()
            except (EOFError, OSError):
                yield each, None
                continue
            each.ready = True  # whatever it says, TensorFlow is loaded
            if not isinstance(message, Ready):
                yield each, message

    def _replace(self, gone: LocalWorker, desk: Desk) -> None:
        """Put a new worker in the place of one that is gone; only its run is lost with it."""
        if not gone.ready:
            raise _not_started(gone)
        if gone.run is not None:
            desk.lost(gone.run, gone.why_lost())
        gone.close()
        self._workers[self._workers.index(gone)] = LocalWorker(gone.number, gone.settings)

    def _drop(self, desk: Desk) -> None:
        """End all runs at once."""
        for each in self._busy():
            each.kill()
            if each.run is not None:
                desk.lost(each.run, Loss("interrupted", "stopped at once, in a block of steps"))
                each.ended()


def _not_started(gone: LocalWorker) -> WorkerError:
    lost = gone.why_lost()
    words = f"; it printed last: {lost.error.splitlines()[-1]}" if lost.error else ""
    return WorkerError(
        f"a worker could not load TensorFlow, or check the runs: {lost.message}{words}"
    )


def _new_folder() -> Path:
    """Make a folder for what workers share; delete those of processes that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
