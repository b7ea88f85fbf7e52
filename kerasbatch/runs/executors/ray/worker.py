"""A worker on a Ray cluster: a task that holds a share of a node and trains run after run."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray

from kerasbatch.data.run_data import RunData
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors import worker_failure, worker_process
from kerasbatch.runs.executors.ray.mailbox import MailboxChannel
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_pool import Worker
from kerasbatch.runs.executors.worker_protocol import Order, TrainRun, WorkerSettings
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.spec.passed.objects import PassedObjects
from kerasbatch.spec.trust import Access

READ_SECONDS = 5.0
"""The longest wait for the output of a worker from its node."""


@dataclass(frozen=True)
class Share:
    """The share of a worker in the cluster, and its settings.

    Args:
        cpus: the processors of a run, and its threads.
        gpus: the GPUs of a run.
        trusted: whether specs may run Python code.
        verbose: show the output of runs.
        objects: the models and callbacks that Python code passed.
    """

    cpus: float
    gpus: float
    trusted: bool
    verbose: bool
    objects: PassedObjects = field(default_factory=PassedObjects)


@dataclass(frozen=True)
class DataInStore:
    """Data shared by a cluster, in Ray's object store.

    Args:
        mailbox: the actor that holds the references.
    """

    mailbox: Any

    def get(self, key: str, make: Callable[[], RunData]) -> RunData:
        """Return the data of a key; read from the file only once for each node."""
        (reference,) = ray.get(self.mailbox.shared.remote(key))
        return ray.get(reference)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class WorkerLocation:
    """The place of a worker; its first message.

    Args:
        node: the id of its node.
        output: its output file on that node, or None.
    """

    node: str
    output: Path | None


def serve(name: str, mailbox: Any, share: Share) -> None:
    """Run a worker; the body of the task."""
    file = None if share.verbose else _logs() / f"kerasbatch-{os.getpid()}.txt"
    channel = MailboxChannel(name, mailbox, ray.get)
    channel.send(WorkerLocation(ray.get_runtime_context().get_node_id(), file))
    settings = WorkerSettings(
        access=Access(Path.cwd(), share.trusted, share.objects),
        shared=DataInStore(mailbox),
        backend="jax" if os.environ.get("KERAS_BACKEND") == "jax" else "tensorflow",
        threads=max(1, int(share.cpus)),
        output=file,
        logged=share.verbose,
        gpu=None,  # Ray chooses it
        parent=0,
    )
    worker_process.serve(channel, settings)


def _logs() -> Path:
    """Return the folder of Ray's log files, which Ray deletes one day."""
    stdout = Path("/proc/self/fd/1")
    return stdout.readlink().parent if stdout.exists() else Path(tempfile.gettempdir())


class RayWorker(Worker):
    """A worker of a cluster, seen from its pool.

    Args:
        number: its number, from 0.
        name: its name in the mailbox, which is used once.
        mailbox: the actor.
        share: its share of the cluster.
    """

    def __init__(self, number: int, name: str, mailbox: Any, share: Share) -> None:
        super().__init__(number)
        self.name = name
        self.location: WorkerLocation | None = None
        self._mailbox = mailbox
        task = ray.remote(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_retries=0,
            max_calls=1,
        )(serve).options(name="kerasbatch")
        self.task = task.remote(name, mailbox, share)

    def order(self, order: Order) -> None:
        """Send an order; the node of the worker may not have the files of this machine."""
        if isinstance(order, TrainRun):
            order = TrainRun(_portable(order.run))
        self._mailbox.order.remote(self.name, order)

    def kill(self) -> None:
        """End the process at once."""
        ray.cancel(self.task, force=True)

    def close(self) -> None:
        """Do nothing: Ray removes ended tasks."""

    def exit_failure(self) -> WorkerFailure:
        """Return the failure that Ray reports."""
        error = self._error()
        output = self.output()
        if isinstance(error, ray.exceptions.OutOfMemoryError):
            return WorkerFailure(
                RunStatus.OUT_OF_MEMORY, f"Ray ended its process: {_line(error)}", output or None
            )
        if self._node_is_gone() or isinstance(error, ray.exceptions.NodeDiedError):
            return WorkerFailure(RunStatus.CRASHED, "its node is gone", None, retry=True)
        return worker_failure.failure_of_output(
            f"its process died ({type(error).__name__})", output
        )

    def _error(self) -> Exception | None:
        try:
            ray.get(self.task)
        except Exception as error:  # one of Ray, or of user code
            return error
        return None

    def _node_is_gone(self) -> bool:
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        return self.location is not None and self.location.node not in alive

    def output(self) -> str:
        """Return the output of its run, if its node still answers."""
        if self.location is None or self.location.output is None or self._node_is_gone():
            return ""
        on_its_node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            self.location.node, soft=False
        )
        task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=on_its_node)(
            worker_process.read_output
        )
        try:
            return str(ray.get(task.remote(self.location.output), timeout=READ_SECONDS))
        except ray.exceptions.RayError:
            return ""


def _portable(run: PreparedRun) -> PreparedRun:
    """Return a run with the content of the checkpoint from which it goes on."""
    resume = None if run.resume is None else run.resume.with_files()
    return replace(run, resume=resume, checkpoints=None)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
