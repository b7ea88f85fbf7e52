"""How the command line meets its terminal: exit codes, signals, complaints, consoles."""

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from kerasbatch.errors import DirectoryInUseError, SpecError, WorkerError
from kerasbatch.text import counted

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
    _listen()
    try:
        yield
    except SpecError as error:
        _end_wrong(error)
        sys.exit(WRONG)
    except DirectoryInUseError as error:
        print_error(str(error))
        sys.exit(IN_USE)
    except WorkerError as error:
        print_error(str(error))
        sys.exit(FAILED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain while it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print_error(_no_room(error))
        sys.exit(FAILED)
    except KeyboardInterrupt:
        _end_interrupted()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end_interrupted()
        raise


def _listen() -> None:
    """Hear the signals that end a program, and let no character end it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        _SIGNALS.append(number)
        if not _training or len(_SIGNALS) > 1:
            raise KeyboardInterrupt
        with contextlib.suppress(OSError):  # nobody reads it any more
            os.write(2, b"\nstopping after this block of steps; once more stops at once\n")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale cannot write is written out
            stream.reconfigure(errors="backslashreplace")


def _end_interrupted() -> NoReturn:
    open_console().print("interrupted; the same command trains what is not finished")
    sys.exit(_interrupted_code())


def _interrupted_code() -> int:
    return TERMINATED if {signal.SIGTERM, signal.SIGHUP} & set(_SIGNALS) else INTERRUPTED


def while_training(goes_on: bool) -> None:
    """Say whether a training goes on: then the first signal waits until `heed_signals` is called.

    An exception that is raised in the middle of TensorFlow may end the process with a segmentation
    fault.
    """
    global _training  # a signal handler has no other way to know
    _training = goes_on


def raise_if_interrupted() -> None:
    """Interrupt, if a signal has come.

    An exception that is raised while Python is inside a destructor, and TensorFlow has many, is
    lost; the signal is not.
    """
    if _SIGNALS:
        raise KeyboardInterrupt


def print_error(message: str) -> None:
    """Print an error."""
    say("error:", "bold red", message)


def print_note(message: str, console: "Console | None" = None) -> None:
    """Print what a person must know."""
    say("note:", "bold yellow", message, console)


def say(head: str, style: str, message: str, console: "Console | None" = None) -> None:
    """Print a message behind a coloured word, not folded."""
    from rich.text import Text

    from kerasbatch.cli.console import clean

    shown = Text.assemble((head, style), " ", clean(message))
    (console or open_console()).print(shown, soft_wrap=True)


def _no_room(error: OSError) -> str:
    full = error.errno == errno.ENOSPC
    return f"the disk is full ({error.filename or error})" if full else str(error)


def _end_wrong(error: SpecError) -> None:
    for fault in error.faults:
        print_error(str(fault))
    could_train = {"run", "bench"} & set(sys.argv[1:2])
    ending = "; nothing was trained" if could_train else ""
    open_console().print(f"{counted(len(error.faults), 'fault')}{ending}")


def open_console(*, errors: bool = True) -> "Console":
    """Return the console for messages, or with `errors=False` the one for results."""
    from kerasbatch.cli.console import SafeConsole

    return SafeConsole(errors=errors)


def print_whole(console: "Console", table: "Table") -> None:
    """Print a table at its own width: a number that is cut would be another number."""
    from rich.measure import Measurement

    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    narrow, console.width = console.width, max(width, console.width)
    console.print(table, crop=False)
    console.width = narrow
