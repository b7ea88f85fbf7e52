"""How the command line meets its terminal: exit codes, signals, complaints, consoles."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from kerasbatch.errors import DirectoryInUseError, SpecError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FAILED, WRONG, IN_USE, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143
_SIGNALS: list[int] = []
"""The signals that have come, so that none is lost."""
_training = False
"""Whether the first signal waits for the end of a block of steps."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors that a person can mend into a message and an exit code."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        _SIGNALS.append(number)
        if not _training or len(_SIGNALS) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except SpecError as error:
        _complain(error)
        sys.exit(WRONG)
    except DirectoryInUseError as error:
        open_console().print(f"[bold red]error:[/] {escaped(str(error))}", soft_wrap=True)
        sys.exit(IN_USE)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain while it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        open_console().print(f"[bold red]error:[/] {escaped(str(error))}", soft_wrap=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        _end_interrupted()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end_interrupted()
        raise


def _end_interrupted() -> NoReturn:
    open_console().print("interrupted; the same command trains what is not finished")
    sys.exit(_interrupted_code())


def _interrupted_code() -> int:
    return TERMINATED if signal.SIGTERM in _SIGNALS else INTERRUPTED


def while_training(goes_on: bool) -> None:
    """Say whether a training goes on: then the first signal waits until `heed_signals` is called.

    An exception that is raised in the middle of TensorFlow may end the process with a segmentation
    fault.
    """
    global _training  # a signal handler has no other way to know
    _training = goes_on


def heed_signals() -> None:
    """Interrupt, if a signal has come.

    An exception that is raised while Python is inside a destructor, and TensorFlow has many, is
    lost; the signal is not.
    """
    if _SIGNALS:
        raise KeyboardInterrupt


def _complain(error: SpecError) -> None:
    console = open_console()
    for fault in error.faults:
        console.print(f"[bold red]error:[/] {escaped(str(fault))}", soft_wrap=True)
    count = len(error.faults)
    console.print(f"{count} fault{'s' if count > 1 else ''}; nothing was trained")


def open_console(*, errors: bool = True) -> "Console":
    """Return the console for messages, or with `errors=False` the one for results."""
    from rich.console import Console

    return Console(stderr=errors, highlight=False)


def escaped(text: str) -> str:
    """Return a text so that none of it is taken for markup."""
    from rich.markup import escape

    return escape(text)


def print_whole(console: "Console", table: "Table") -> None:
    """Print a table at its own width: a number that is cut would be another number."""
    from rich.measure import Measurement

    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    narrow, console.width = console.width, max(width, console.width)
    console.print(table, crop=False)
    console.width = narrow
