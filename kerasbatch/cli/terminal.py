"""The terminal: exit codes, signals, errors, consoles."""

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from kerasbatch.errors import DirectoryInUseError, SpecError, WorkerError
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.text import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FAILED, WRONG, IN_USE, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143


@contextmanager
def exit_codes() -> Iterator[StopRequest]:
    """Yield the request to stop that signals make; turn errors into a message and an exit code."""
    stop = StopRequest(_on_deferred)
    _prepare_process(stop)
    try:
        yield stop
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
        # The reader of our output has closed it; Python must not complain when it closes it, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print_error(_describe_os_error(error))
        sys.exit(FAILED)
    except KeyboardInterrupt:
        _end_interrupted(stop)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end_interrupted(stop)
        raise


def _prepare_process(stop: StopRequest) -> None:
    """Handle the signals that end a program; print any character in any locale."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop.handle)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _on_deferred() -> None:
    with contextlib.suppress(OSError):  # standard error may be closed
        os.write(2, b"\nstopping after this block of steps; press Ctrl-C again to stop at once\n")


def _end_interrupted(stop: StopRequest) -> NoReturn:
    open_console().print("interrupted; run the same command to resume")
    terminated = {signal.SIGTERM, signal.SIGHUP} & set(stop.signals)
    sys.exit(TERMINATED if terminated else INTERRUPTED)


def print_error(message: str) -> None:
    """Print an error."""
    say("error:", "bold red", message)


def print_note(message: str, console: "Console | None" = None) -> None:
    """Print a note."""
    say("note:", "bold yellow", message, console)


def say(head: str, style: str, message: str, console: "Console | None" = None) -> None:
    """Print a message after a coloured word, without wrapping."""
    from rich.text import Text

    from kerasbatch.cli.console import clean

    shown = Text.assemble((head, style), " ", clean(message))
    (console or open_console()).print(shown, soft_wrap=True)


def _describe_os_error(error: OSError) -> str:
    disk_is_full = error.errno == errno.ENOSPC
    return f"the disk is full ({error.filename or error})" if disk_is_full else str(error)


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


def print_uncut(console: "Console", table: "Table") -> None:
    """Print a table at its own width; a number that is cut would be another number."""
    from rich.measure import Measurement

    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    narrow, console.width = console.width, max(width, console.width)
    console.print(table, crop=False)
    console.width = narrow
