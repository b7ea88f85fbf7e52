"""Defers Ctrl-C while the results of epochs that are trained already are passed to callbacks."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Call = Callable[..., None]


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
