"""A line that lives while Python cannot: importing TensorFlow lets no other thread run.

A small process of its own draws it; it ends with this one.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_DRAW = r"""
import os, sys, time
text, parent = sys.argv[1], os.getppid()
for number in range(10_000):
    if os.getppid() != parent:
        break
    turning = "|/-" + chr(92)
    sys.stderr.write("\r\x1b[2K%s %s, %.0f s" % (turning[number % 4], text, number / 5))
    sys.stderr.flush()
    time.sleep(0.2)
"""


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """Show a text with a clock on the standard error, a terminal, until the block ends."""
    command = [sys.executable, "-I", "-S", "-c", _DRAW, text]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603  # our own
        try:
            yield
        finally:
            process.terminate()
            process.wait()
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
