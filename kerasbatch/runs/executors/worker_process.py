"""What a worker does: a process of its own that imports TensorFlow once and trains run after run.

The process that called it speaks with it through a connection. What a run prints goes into a
file, whose end tells of a crash.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from kerasbatch.data.shared_data import SharedData
from kerasbatch.runs.messages import Message, ProgressUpdate
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access

MAX_OUTPUT = 2**20
"""Bytes of what runs print that are kept."""
_KILL_ME_WITH_MY_PARENT = 1
"""PR_SET_PDEATHSIG of Linux' prctl."""


class OrderChannel(Protocol):
    """How a worker speaks with who gives it orders."""

    def send(self, message: object, /) -> None:
        """Tell something."""

    def poll(self) -> bool:
        """Say whether there is an order."""

    def recv(self) -> Any:
        """Wait for an order and return it; EOFError: there will be no more."""


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told at its beginning.

    Args:
        access: what specs may reach.
        shared: the data that all workers share.
        threads: how many threads TensorFlow computes with; 0 leaves it to choose.
        printed: the file that takes what is printed; None leaves it where it goes.
        gpu: the number of the GPU that it has for itself, or None.
        parent: the process that it works for.
    """

    access: Access
    shared: SharedData
    threads: int
    printed: Path | None
    gpu: str | None
    parent: int


@dataclass(frozen=True)
class CheckRuns:
    """An order: check all runs, and write their data where all workers find them."""

    singles: Sequence[SingleRun]


@dataclass(frozen=True)
class TrainRun:
    """An order: train a run."""

    run: PreparedRun


@dataclass(frozen=True)
class StopRun:
    """An order: let the run stop after the present block of steps."""


@dataclass(frozen=True)
class WorkerReady:
    """Told when TensorFlow is loaded."""


@dataclass(frozen=True)
class OrderFailed:
    """Told of an order that could not be carried out."""

    error: Exception


Order = CheckRuns | TrainRun | StopRun


class _Worker:
    """Carries out orders, one after the other, and keeps what runs share."""

    def __init__(self, line: OrderChannel, settings: WorkerSettings) -> None:
        from kerasbatch.runs.prepare.data_loader import DataLoader
        from kerasbatch.runs.training.trainer import Trainer

        self._line, self._settings = line, settings
        self._notices: list[str] = []
        self._loader = DataLoader(settings.access, self._notices.append, settings.shared)
        self._trainer = Trainer(self._loader)

    def obey(self, order: Order) -> None:
        """Carry out an order; a wish to stop that comes too late is none."""
        if isinstance(order, CheckRuns):
            self._line.send(self._check(order.singles))
        elif isinstance(order, TrainRun):
            self._forget_printed(0)
            self._trainer.train(order.run, self._tell)

    def _check(self, singles: Sequence[SingleRun]) -> CheckedRuns:
        from kerasbatch.runs.prepare.checks import check_all

        checked = check_all(singles, self._loader, self._notices)
        self._loader.forget()
        return checked

    def _tell(self, message: Message) -> None:
        self._line.send(message)
        if isinstance(message, ProgressUpdate):
            self._forget_printed(MAX_OUTPUT)
            if self._line.poll():  # nothing but a wish to stop comes while a run goes on
                self._line.recv()
                raise KeyboardInterrupt

    def _forget_printed(self, most: int) -> None:
        """Empty the file of what is printed where it holds more bytes than this."""
        file = self._settings.printed
        if file is not None and file.stat().st_size > most:
            os.truncate(file, 0)


def worker_main(connection: Connection, settings: WorkerSettings) -> None:
    """Be a worker of this machine's pool until the connection ends.

    Args:
        connection: brings orders, takes messages.
        settings: what there is to know at the beginning.
    """
    _end_with(settings.parent)
    _leave_signals_to_the_parent()
    if settings.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = settings.gpu
    serve(connection, settings)


def serve(line: OrderChannel, settings: WorkerSettings) -> None:
    """Load TensorFlow, and carry out orders until there will be no more."""
    if settings.printed is not None:
        _print_into(settings.printed)
    _load_tensorflow(settings)
    worker = _Worker(line, settings)
    line.send(WorkerReady())
    with contextlib.suppress(EOFError):  # nobody has more orders
        while True:
            order = line.recv()
            try:
                worker.obey(order)
            except Exception as error:  # own code may raise anything
                line.send(_order_failed(error))


def read_output(file: Path | None) -> str:
    """Return the end of what a worker has printed for its run."""
    if file is None or not file.exists():
        return ""
    return file.read_bytes()[-MAX_OUTPUT:].decode("utf-8", "replace")


def _order_failed(error: Exception) -> OrderFailed:
    """Return a message of an error, in words where it cannot travel itself."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    except Exception:  # an exception of anybody's making
        return OrderFailed(RuntimeError(f"{type(error).__name__}: {error}"))
    return OrderFailed(error)


def _end_with(parent: int) -> None:
    """Let this process die with its parent, also where that one is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_KILL_ME_WITH_MY_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C and a closed terminal reach every process; the parent says what is to be done."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})


def _print_into(file: Path) -> None:
    """Send what is written to the standard output and error into a file, whoever writes it."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):  # one that is closed holds nothing
            stream.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _load_tensorflow(settings: WorkerSettings) -> None:
    """Import TensorFlow with this worker's share of threads; warnings and errors are kept."""
    from kerasbatch.engine import environment

    environment.set_variables(verbose=True)
    if settings.printed is not None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"  # with warnings of memory that runs out
    environment.load_tensorflow(verbose=True, whole=settings.access.trusted)
    environment.set_threads(settings.threads)
