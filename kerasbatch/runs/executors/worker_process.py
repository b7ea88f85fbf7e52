"""The worker process: it imports Keras once and trains run after run.

Orders and messages pass through a connection. The output of a run goes into a file, whose end
explains a crash.
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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kerasbatch.cache.places import compiled_folder
from kerasbatch.cache.progress import shown_by
from kerasbatch.runs.executors.worker_protocol import (
    CheckRuns,
    DataProgress,
    Order,
    OrderChannel,
    OrderFailed,
    StateChanged,
    TrainRun,
    WorkerReady,
    WorkerSettings,
)
from kerasbatch.runs.messages import Message, ProgressUpdate, RunEnded
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.spec.sweep.single_run import SingleRun

MAX_OUTPUT = 2**20
"""The largest size in bytes of the output that is kept."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
"""The signals that the parent of a worker handles."""
_KILL_ME_WITH_MY_PARENT = 1
"""PR_SET_PDEATHSIG of Linux' prctl."""


class _Worker:
    """Executes orders, one after the other; data and programs are kept between runs."""

    def __init__(self, channel: OrderChannel, settings: WorkerSettings) -> None:
        from kerasbatch.runs.prepare.data_loader import DataLoader
        from kerasbatch.runs.training.trainer import Trainer

        self._channel, self._settings = channel, settings
        self._notices: list[str] = []
        self._loader = DataLoader(settings.access, self._notices.append, settings.shared)
        self._trainer = Trainer(self._loader)

    def execute(self, order: Order) -> None:
        """Execute an order; a StopRun that comes after the end of its run has no effect."""
        if isinstance(order, CheckRuns):
            self._channel.send(self._check(order.singles))
        elif isinstance(order, TrainRun):
            self._truncate_output(0)
            self._train(order.run)

    def _train(self, run: PreparedRun) -> None:
        if not run.code:
            self._trainer.train(run, self._emit)
            return
        from kerasbatch.runs.executors.process_state import changed_parts, process_state

        before = process_state()

        def report_changes() -> None:
            if parts := changed_parts(before, process_state()):
                self._channel.send(StateChanged(parts))

        def emit(message: Message) -> None:
            if isinstance(message, RunEnded):
                report_changes()
            self._emit(message)

        try:
            self._trainer.train(run, emit)
        except Exception:
            report_changes()
            raise

    def _check(self, singles: Sequence[SingleRun]) -> CheckedRuns:
        from kerasbatch.runs.prepare.checks import check_all

        with shown_by(lambda line: self._channel.send(DataProgress(line))):
            checked = check_all(singles, self._loader, self._notices)
        self._loader.forget()
        return checked

    def _emit(self, message: Message) -> None:
        self._channel.send(message)
        if isinstance(message, ProgressUpdate):
            self._truncate_output(MAX_OUTPUT)
            if self._channel.poll():  # only a StopRun comes during a run
                self._channel.recv()
                raise KeyboardInterrupt

    def _truncate_output(self, max_bytes: int) -> None:
        """Empty the output file if it is larger than `max_bytes`."""
        file = self._settings.output
        with contextlib.suppress(FileNotFoundError):  # somebody deleted it
            if file is not None and file.stat().st_size > max_bytes:
                os.truncate(file, 0)


def worker_main(connection: Connection, settings: WorkerSettings) -> None:
    """Run a worker of this machine's pool until the connection ends.

    Args:
        connection: the connection to the pool.
        settings: the settings of the process.
    """
    _exit_with(settings.parent)
    _ignore_signals()
    if settings.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = settings.gpu
    serve(connection, settings)


def serve(channel: OrderChannel, settings: WorkerSettings) -> None:
    """Load Keras, and execute orders until the channel ends."""
    if settings.output is not None:
        _redirect_output(settings.output)
    _load_keras(settings)
    worker = _Worker(channel, settings)
    channel.send(WorkerReady())
    from kerasbatch.engine.keras_private import without_tensorflow

    with contextlib.ExitStack() as stack:
        if not settings.access.trusted:  # code of the user may need TensorFlow
            stack.enter_context(without_tensorflow())
        stack.enter_context(contextlib.suppress(EOFError))  # no more orders
        while True:
            order = channel.recv()
            try:
                worker.execute(order)
            except Exception as error:  # own code may raise anything
                channel.send(_order_failed(error))


def read_output(file: Path | None) -> str:
    """Return the end of the output of a worker's run."""
    try:
        content = b"" if file is None else file.read_bytes()[-MAX_OUTPUT:]
    except FileNotFoundError:  # somebody deleted it
        return ""
    return content.decode("utf-8", "replace")


def _order_failed(error: Exception) -> OrderFailed:
    """Return the message of an error; as text if the error cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    except Exception:  # the error of user code
        return OrderFailed(RuntimeError(f"{type(error).__name__}: {error}"))
    return OrderFailed(error)


def _exit_with(parent: int) -> None:
    """End this process with its parent, also if the parent is killed."""
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


def _ignore_signals() -> None:
    """Ignore signals that reach every process of a job; the parent decides.

    Ctrl-C and a closed terminal do, and SIGTERM where a scheduler ends a job. A process that code
    of the user forks, such as those of a PyDataset, is ended by SIGTERM as usual.
    """
    worker = os.getpid()

    def end_forked(number: int, frame: Any) -> None:
        if os.getpid() != worker:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end_forked)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _redirect_output(file: Path) -> None:
    """Redirect standard output and error into a file, for C++ too."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):  # a closed stream holds nothing
            stream.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _load_keras(settings: WorkerSettings) -> None:
    """Import Keras with this worker's number of threads; warnings and errors are kept."""
    from kerasbatch.engine import environment

    logged = settings.logged or settings.output is not None
    environment.set_variables(
        verbose=logged,
        backend=settings.backend,
        threads=settings.threads,
        compiled=compiled_folder(),
    )
    if settings.output is not None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"  # keeps warnings of memory that runs out
    environment.load_keras(verbose=logged, load_optional=settings.access.trusted)
    environment.set_threads(settings.threads)
