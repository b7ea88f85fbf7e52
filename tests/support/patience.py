"""Limits for waits, longer on a busy machine."""

import os


def limit(seconds: float) -> float:
    """Return the limit of a wait that takes about `seconds` at most on an idle machine.

    The limit only ends a test that hangs, so it is generous: six times as long, and longer in
    proportion to the processes that wait for a core.
    """
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return 6 * seconds * max(1.0, waiting)
