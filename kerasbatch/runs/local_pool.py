"""The crew of a sweep on this machine: a worker per core, each a process of its own."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil

from kerasbatch.runs import machine_share
from kerasbatch.runs.local_worker import LocalWorker
from kerasbatch.runs.pool import TICK, Pool, not_started
from kerasbatch.runs.prepared import Checked
from kerasbatch.runs.worker import Check, Failed, Settings
from kerasbatch.spec.access import Access
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.workload.stored_data import DataFolder

_PREFIX = "kerasbatch-"


class LocalPool(Pool[LocalWorker]):
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
        self._folder, shared = _new_folder(), machine_share.gpus()
        self._settings = [
            Settings(
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
        self._workers[0].order(Check(singles))

    @property
    def data(self) -> DataFolder:
        """The data that all workers share."""
        return DataFolder(self._folder / "data")

    def check(self, waiting: Callable[[], None]) -> Checked:
        """Let one worker check all runs, while the others load TensorFlow."""
        while True:
            for each, message in self._heard():
                if isinstance(message, Checked):
                    return message
                if isinstance(message, Failed):
                    raise message.error
                if message is None:
                    raise not_started(each)
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
