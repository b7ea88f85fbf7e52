"""The settings, orders and messages that pass between a pool and its worker processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kerasbatch.data.shared_data import SharedData
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access
from kerasbatch.types import Backend


class OrderChannel(Protocol):
    """The connection between a worker and its pool."""

    def send(self, message: object, /) -> None:
        """Send a message."""

    def poll(self) -> bool:
        """Return whether an order has come."""

    def recv(self) -> Any:
        """Wait for an order and return it; raise EOFError after the last one."""


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of a worker process.

    Args:
        access: the files and code that specs may use.
        shared: the data that all workers share.
        backend: the backend of Keras.
        threads: the threads of the backend; 0 leaves the choice to it.
        output: the file of standard output and error; None does not redirect them.
        logged: whether the log of the backend is part of the output, without a file.
        gpu: the number of its own GPU, or None.
        parent: the id of the parent process.
    """

    access: Access
    shared: SharedData
    backend: Backend
    threads: int
    output: Path | None
    logged: bool
    gpu: str | None
    parent: int


@dataclass(frozen=True)
class CheckRuns:
    """The order to check all runs, and to share their data with all workers."""

    singles: Sequence[SingleRun]


@dataclass(frozen=True)
class TrainRun:
    """The order to train a run."""

    run: PreparedRun


@dataclass(frozen=True)
class StopRun:
    """The order to stop the run after the present block of steps."""


@dataclass(frozen=True)
class WorkerReady:
    """The message that TensorFlow is loaded."""


@dataclass(frozen=True)
class StateChanged:
    """The message, before the end of a run, that user code has changed the state of the process.

    Args:
        parts: the names of the changed parts.
    """

    parts: Sequence[str]


@dataclass(frozen=True)
class DataProgress:
    """The progress of work on data.

    Args:
        line: the progress in words.
    """

    line: str


@dataclass(frozen=True)
class OrderFailed:
    """The message that an order raised an error."""

    error: Exception


Order = CheckRuns | TrainRun | StopRun
