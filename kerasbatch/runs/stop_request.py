"""A request to stop, made by a signal and noticed where it loses nothing."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Signals that end a program, such as Ctrl-C.

    A signal raises KeyboardInterrupt at once, unless it is deferred: an exception in the middle of
    TensorFlow may crash the process, and one in the middle of a message loses the message. A
    deferred signal is raised by `raise_if_requested`, between two blocks of steps; the second
    signal is not deferred. With a grace, the end of that time is like a second signal.

    Args:
        on_deferred: called when a signal is deferred.

    Attributes:
        signals: the signals that have come.
        grace: the seconds from a deferred signal to the end of all runs, or None.
    """

    def __init__(self, on_deferred: Callable[["StopRequest"], None] = lambda stop: None) -> None:
        self.signals: list[int] = []
        self.grace: float | None = None
        self._on_deferred = on_deferred
        self._is_deferred = False

    def handle(self, number: int, frame: FrameType | None = None) -> None:
        """Handle a signal; the signature is that of a signal handler."""
        self.signals.append(number)
        if not self._is_deferred or len(self.signals) > 1:
            raise KeyboardInterrupt
        self._on_deferred(self)
        if self.grace is not None and hasattr(signal, "setitimer"):  # Windows has none
            signal.signal(signal.SIGALRM, self.handle)
            signal.setitimer(signal.ITIMER_REAL, self.grace)

    def raise_if_requested(self) -> None:
        """Raise KeyboardInterrupt if a signal has come.

        An exception that is raised inside a destructor is lost, and TensorFlow has many
        destructors; `signals` is not lost.
        """
        if self.signals:
            raise KeyboardInterrupt

    def raise_if_repeated(self) -> None:
        """Raise KeyboardInterrupt if a second signal has come, whose own exception was lost."""
        if len(self.signals) > 1:
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer the first signal until `raise_if_requested` is called."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False
            if self.signals and self.grace is not None and hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, 0)


_DEFAULT = (signal.default_int_handler, signal.SIG_DFL)
"""The handlers of signals that nobody has set."""


@contextmanager
def handle_signals(*numbers: int) -> Iterator[StopRequest]:
    """Yield a request that signals make, unless the caller has handlers of their own.

    After the context, a signal other than Ctrl-C does what it does without a handler.

    Args:
        *numbers: the signals; by default Ctrl-C.
    """
    stop = StopRequest()
    in_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in numbers or (signal.SIGINT,)}
    ours = [number for number, handler in before.items() if in_main and handler in _DEFAULT]
    for number in ours:
        signal.signal(number, stop.handle)
    try:
        yield stop
    finally:
        for number in ours:
            signal.signal(number, before[number])
        for number in set(ours) & {*stop.signals} - {signal.SIGINT}:
            signal.raise_signal(number)
