"""The progress of work on data, as a line of text for whoever shows it."""

import contextlib
import time
from collections.abc import Callable, Iterator

from kerasbatch.text import counted

Receiver = Callable[[str], None]
INTERVAL = 0.5
"""The shortest time in seconds between two lines."""
_receivers: list[Receiver] = []


@contextlib.contextmanager
def shown_by(receiver: Receiver) -> Iterator[None]:
    """Send the lines of progress to a receiver within the context."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)


def show(line: str) -> None:
    """Send a line to the last receiver, if there is one."""
    if _receivers:
        _receivers[-1](line)


class Progress:
    """Counts the parts of a work, and shows the count a few times a second.

    Args:
        work: the work, such as `reading images`.
        total: the number of all parts, or None if it is unknown.
        noun: the name of a part.
    """

    def __init__(self, work: str, total: int | None, noun: str) -> None:
        self._work, self._total, self._noun = work, total, noun
        self._done, self._shown = 0, time.monotonic()

    def advance(self, parts: int) -> None:
        """Count parts that are done."""
        self._done += parts
        if time.monotonic() - self._shown < INTERVAL:
            return
        self._shown = time.monotonic()
        if self._total is None:
            show(f"{self._work}: {counted(self._done, self._noun)}")
        else:
            show(f"{self._work}: {self._done:,} of {counted(self._total, self._noun)}")
