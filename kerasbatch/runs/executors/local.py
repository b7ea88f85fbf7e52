"""The executor of a sweep on this machine: one worker process per core."""

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from kerasbatch.data.shared_data import DataFolder
from kerasbatch.runs.executors import resources
from kerasbatch.runs.executors.local_worker import LocalWorker
from kerasbatch.runs.executors.output import HIDDEN, Output
from kerasbatch.runs.executors.worker_folder import WorkerFolder
from kerasbatch.runs.executors.worker_pool import TICK, WorkerPool, start_failure
from kerasbatch.runs.executors.worker_protocol import CheckRuns, OrderFailed, WorkerSettings
from kerasbatch.runs.prepare.prepared_run import CheckedRuns
from kerasbatch.spec.named_paths import has_passed_code, names_code
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access

MAX_MESSAGES = 1000
"""The messages that wait in the inbox; the readers wait if there are more."""


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
        try:
            access = replace(access, objects=access.objects.stored(self._folder.path / "objects"))
        except BaseException:
            self._folder.close()
            raise
        self._settings = [
            WorkerSettings(
                access=access,
                shared=self.data,
                backend=singles[0].spec.backend,
                threads=threads,
                output=None if output.shown else self._folder.path / f"output-{number}.txt",
                logged=output.logged,
                gpu=gpus[number % len(gpus)] if gpus else None,
                parent=0,
            )
            for number in range(jobs)
        ]
        self._inbox = queue.Queue[tuple[LocalWorker, Any]](MAX_MESSAGES)
        self._workers = [self._new(number) for number in range(jobs)]
        self._checker = self._workers[0]
        if any(names_code(single.spec) or has_passed_code(single.spec) for single in singles):
            # User code may change its process, so that one trains nothing.
            self._checker = self._new(0)
            self._workers.append(self._checker)
        self._checker.order(CheckRuns(singles))

    @property
    def data(self) -> DataFolder:
        """The folder of the data that all workers share."""
        return DataFolder(self._folder.path / "data")

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Let one worker check all runs, while the others load TensorFlow."""
        while True:
            for worker, message in self._run_messages():
                if isinstance(message, CheckedRuns):
                    self._dismiss_checker()
                    return message
                if isinstance(message, OrderFailed):
                    raise message.error
                if message is None:
                    raise start_failure(worker)
            waiting()

    def _dismiss_checker(self) -> None:
        if len(self._workers) > len(self._settings):
            self._workers.remove(self._checker)
            self._checker.kill()
            self._checker.close()

    def close(self) -> None:
        """End all workers, and delete their shared files."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()
        self._workers = []
        self._folder.close()

    def _messages(self) -> Iterator[tuple[LocalWorker, Any]]:
        # First, so that all messages of these workers are in the inbox.
        ended = [worker for worker in self._workers if worker.has_ended()]
        for worker, message in self._inbox_content():
            if worker in self._workers:  # not of one that was replaced
                yield worker, message
        for worker in ended:
            if worker in self._workers:
                yield worker, None

    def _inbox_content(self) -> Iterator[tuple[LocalWorker, Any]]:
        """Yield the messages that are there, or the first within a tick."""
        with contextlib.suppress(queue.Empty):
            yield self._inbox.get(timeout=TICK)
            for _ in range(MAX_MESSAGES):
                yield self._inbox.get_nowait()

    def _replacement(self, lost: LocalWorker) -> LocalWorker:
        return self._new(lost.number)

    def _new(self, number: int) -> LocalWorker:
        return LocalWorker(number, self._settings[number], self._inbox)
