"""Defers Ctrl-C while the results of epochs that are trained already are passed to callbacks."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Call = Callable[..., None]
_RAISING = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
"""The signals whose handlers may raise an exception."""


@contextmanager
def deferred_interrupts() -> Iterator[Call]:
    """Yield a function that calls another one, and defers a KeyboardInterrupt of it.

    It is raised at the end of the context, like a Ctrl-C in between, unless the caller has a
    handler of their own: else the steps of epochs would be trained and not counted.
    """
    interrupts = list[KeyboardInterrupt]()

    def call(function: Callable[..., Any], *arguments: Any) -> None:
        try:
            function(*arguments)
        except KeyboardInterrupt as interrupt:
            interrupts.append(interrupt)

    try:
        with _deferred_ctrl_c(interrupts):
            yield call
    finally:
        if interrupts:
            raise interrupts[0]


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Call the handlers of signals that raise, whoever set them, at the end of the context.

    In another thread than the main one, no handler runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _RAISING}
    own = {number: handler for number, handler in handlers.items() if callable(handler)}
    came = list[int]()
    for number in own:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in own.items():
            signal.signal(number, handler)
        for signal_number in came:
            own[signal.Signals(signal_number)](signal_number, None)


@contextmanager
def _deferred_ctrl_c(interrupts: list[KeyboardInterrupt]) -> Iterator[None]:
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: interrupts.append(KeyboardInterrupt()))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
