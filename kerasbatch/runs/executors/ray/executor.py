"""The executor of a sweep on a Ray cluster: one worker for every share of it."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from kerasbatch.array_files import changed_file_message
from kerasbatch.data.run_data import RunData
from kerasbatch.data.shared_data import DataFolder, in_memory, load_shared
from kerasbatch.errors import SpecError
from kerasbatch.runs.executors.local import LocalExecutor
from kerasbatch.runs.executors.output import Output
from kerasbatch.runs.executors.ray import cluster
from kerasbatch.runs.executors.ray.cluster import RayOptions
from kerasbatch.runs.executors.ray.mailbox import Mailbox
from kerasbatch.runs.executors.ray.worker import RayWorker, Share, WorkerLocation
from kerasbatch.runs.executors.resources import least_runs
from kerasbatch.runs.executors.worker_pool import TICK, WorkerPool
from kerasbatch.runs.prepare.prepared_run import CheckedRuns
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access
from kerasbatch.types import Backend

EXCLUDED = ["results", ".git", ".venv", "venv", "__pycache__", "*.npz", "*.npy"]
"""The files of a trusted spec's folder that are not sent with its code; data are sent apart."""


class RayExecutor(WorkerPool[RayWorker]):
    """Workers on a Ray cluster; runs are checked on this machine meanwhile.

    Args:
        singles: the runs.
        access: the files and code that their specs may use.
        options: the cluster, and the share of a run.
        timeout: the seconds that a run may take, or None.
        verbose: show the output of runs, and Ray's log.
    """

    def __init__(
        self,
        singles: Sequence[SingleRun],
        access: Access,
        options: RayOptions,
        *,
        timeout: float | None,
        verbose: bool = False,
    ) -> None:
        super().__init__(timeout)
        self._joined, self._seen = False, 0
        self._names = map("worker-{}".format, itertools.count())
        self._checker = LocalExecutor(
            singles, access, jobs=1, threads=1, timeout=None, output=Output(verbose, verbose)
        )
        try:
            self._join(singles, access, options, verbose)
        except BaseException:
            self.close()
            raise

    def _join(
        self, singles: Sequence[SingleRun], access: Access, options: RayOptions, verbose: bool
    ) -> None:
        environment = _environment(access, singles[0].spec.backend, verbose)
        cluster.connect(options, environment, verbose=verbose)
        self._joined = True
        cluster.check_nodes()
        self.jobs = min(least_runs(singles), cluster.workers(options))
        self._share = Share(
            cpus=options.cpus_per_run,
            gpus=options.gpus_per_run,
            trusted=access.trusted,
            verbose=verbose,
            objects=access.objects.portable_code(),
        )
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._mailbox = ray.remote(num_cpus=0, scheduling_strategy=here)(Mailbox).remote()
        self._workers = [self._new(number) for number in range(self.jobs)]

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Check all runs on this machine; put their data into the object store."""
        checked = self._checker.check(waiting)
        folder = self._checker.data
        # Ray resolves a bare reference to its data; one in a list stays a reference.
        stored = {key: [_stored(folder, key)] for key in folder.all()}
        ray.get(self._mailbox.share.remote(stored))
        self._checker.close()
        return checked

    def close(self) -> None:
        """Leave the cluster; a local cluster ends."""
        self._checker.close()
        for worker in self._workers:
            worker.kill()
        if self._joined:  # not a session of the caller
            ray.shutdown()
            self._joined = False

    def _messages(self) -> Iterator[tuple[RayWorker, Any]]:
        by_name = {worker.name: worker for worker in self._workers}
        first, messages = ray.get(self._mailbox.take.remote(TICK, self._seen))
        for number, (name, message) in enumerate(messages, start=first + 1):
            self._seen = number
            worker = by_name.get(name)  # None: a worker that was replaced
            if worker is None:
                continue
            if isinstance(message, WorkerLocation):
                worker.location = message
            else:
                yield worker, message
        tasks = {worker.task: worker for worker in self._workers}
        ended, _ = ray.wait(list(tasks), num_returns=len(tasks), timeout=0)
        for task in ended:
            yield tasks[task], None

    def _replacement(self, lost: RayWorker) -> RayWorker:
        return self._new(lost.number)

    def _new(self, number: int) -> RayWorker:
        return RayWorker(number, next(self._names), self._mailbox, self._share)


def _stored(folder: DataFolder, key: str) -> ray.ObjectRef[RunData]:
    """Put data into the object store of the cluster.

    Raises:
        SpecError: if a file has changed since its fingerprint was taken.
    """
    data = load_shared(folder.path / key)
    stored = ray.put(in_memory(data))
    if changed := changed_file_message(data.files):
        raise SpecError.at(("data",), changed)
    return stored


def _environment(access: Access, backend: Backend, verbose: bool) -> Mapping[str, Any]:
    """Return Ray's runtime environment: variables, and the folder of a trusted spec."""
    variables = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "0" if verbose else "1"}
    if not access.trusted:
        return {"env_vars": variables}
    folder = str(access.folder.resolve())
    return {"env_vars": variables, "working_dir": folder, "excludes": EXCLUDED}
