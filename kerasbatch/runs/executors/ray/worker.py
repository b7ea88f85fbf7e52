"""One worker on a Ray cluster: a task that holds its share of a node, and trains run after run."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from kerasbatch.data.run_data import RunData
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors import worker_failure, worker_process
from kerasbatch.runs.executors.ray.mailbox import MailboxChannel
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_pool import Worker
from kerasbatch.runs.executors.worker_process import Order, WorkerSettings
from kerasbatch.spec.trust import Access

READ_SECONDS = 5.0
"""How long we wait for the last words of a worker from its node."""


@dataclass(frozen=True)
class Share:
    """What every worker gets of the cluster, and does with it.

    Args:
        cpus: the processors of a run; threads too.
        gpus: the GPUs of a run.
        trusted: whether specs may run Python code.
        verbose: let what runs print appear.
    """

    cpus: float
    gpus: float
    trusted: bool
    verbose: bool


@dataclass(frozen=True)
class DataInStore:
    """Data shared by a whole cluster, in Ray's object store.

    Args:
        mailbox: the actor that knows where they are.
    """

    mailbox: Any

    def get(self, key: str, make: Callable[[], RunData]) -> RunData:
        """Return the data of a key; read from the file only once for each node."""
        (reference,) = ray.get(self.mailbox.kept.remote(key))
        return ray.get(reference)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class WorkerLocation:
    """Where a worker is; told before anything else.

    Args:
        node: the id of its node.
        printed: the file there that takes what it prints, or None.
    """

    node: str
    printed: Path | None


def serve(name: str, mailbox: Any, share: Share) -> None:
    """Be a worker; the body of the task."""
    file = None if share.verbose else _logs() / f"kerasbatch-{os.getpid()}.txt"
    line = MailboxChannel(name, mailbox, ray.get)
    line.send(WorkerLocation(ray.get_runtime_context().get_node_id(), file))
    settings = WorkerSettings(
        access=Access(Path.cwd(), share.trusted),
        shared=DataInStore(mailbox),
        threads=max(1, int(share.cpus)),
        printed=file,
        gpu=None,  # Ray has chosen it
        parent=0,
    )
    worker_process.serve(line, settings)


def _logs() -> Path:
    """Return the folder where Ray keeps, and one day deletes, what its workers print."""
    printed_into = Path("/proc/self/fd/1")
    return printed_into.readlink().parent if printed_into.exists() else Path(tempfile.gettempdir())


class RayWorker(Worker):
    """A worker of a cluster, seen from the process that gives it runs.

    Args:
        number: its number, from 0.
        name: its name in the mailbox; every worker has a new one.
        mailbox: the actor.
        share: what it gets of the cluster.
    """

    def __init__(self, number: int, name: str, mailbox: Any, share: Share) -> None:
        super().__init__(number)
        self.name = name
        self.where: WorkerLocation | None = None
        self._mailbox = mailbox
        task = ray.remote(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_retries=0,
            max_calls=1,
        )(serve).options(name="kerasbatch")
        self.task = task.remote(name, mailbox, share)

    def order(self, order: Order) -> None:
        """Let it do something as soon as it can."""
        self._mailbox.give.remote(self.name, order)

    def kill(self) -> None:
        """End the process now, whatever it does."""
        ray.cancel(self.task, force=True)

    def close(self) -> None:
        """Ray buries its dead itself."""

    def why_gone(self) -> WorkerFailure:
        """Say how the process ended, as far as Ray knows."""
        told = self._error()
        words = self.printed()
        if isinstance(told, ray.exceptions.OutOfMemoryError):
            return WorkerFailure(
                RunStatus.OUT_OF_MEMORY, f"Ray ended its process: {_line(told)}", words or None
            )
        if self._node_is_gone() or isinstance(told, ray.exceptions.NodeDiedError):
            return WorkerFailure(RunStatus.CRASHED, "its node is gone", None, again=True)
        return worker_failure.failure_of_output(f"its process died ({type(told).__name__})", words)

    def _error(self) -> Exception | None:
        try:
            ray.get(self.task)
        except Exception as error:  # Ray has many, and own code may raise anything
            return error
        return None

    def _node_is_gone(self) -> bool:
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        return self.where is not None and self.where.node not in alive

    def printed(self) -> str:
        """Return what it printed for its run, if its node can still say."""
        if self.where is None or self.where.printed is None or self._node_is_gone():
            return ""
        there = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            self.where.node, soft=False
        )
        task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(
            worker_process.read_output
        )
        try:
            return str(ray.get(task.remote(self.where.printed), timeout=READ_SECONDS))
        except ray.exceptions.RayError:
            return ""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
