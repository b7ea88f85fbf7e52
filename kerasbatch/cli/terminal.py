"""The terminal: exit codes, signals, errors, consoles."""

import contextlib
import errno
import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from kerasbatch.errors import DirectoryInUseError, KerasbatchError, SpecError
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.text import clean, counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FAILED, WRONG, IN_USE, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143


@contextmanager
def exit_codes() -> Iterator[StopRequest]:
    """Yield the stop request of the signals; turn errors into a message and an exit code."""
    stop = StopRequest(_announce_stop)
    _prepare_process(stop)
    try:
        yield stop
    except SpecError as error:
        _print_faults(error)
        sys.exit(WRONG)
    except DirectoryInUseError as error:
        print_error(str(error))
        sys.exit(IN_USE)
    except KerasbatchError as error:
        print_error(str(error))
        sys.exit(FAILED)
    except BrokenPipeError:
        # The reader has closed our output; without this, Python reports an error at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print_error(_describe_os_error(error))
        sys.exit(FAILED)
    except KeyboardInterrupt:
        _exit_interrupted(stop)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _exit_interrupted(stop)
        raise


def _prepare_process(stop: StopRequest) -> None:
    """Install the signal handlers; make any character printable in any locale."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # not by nohup
            signal.signal(number, stop.handle)
    warnings.showwarning = _show_warning
    sys.excepthook = _show_traceback
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print a warning of a library, which may quote a file."""
    print_note(f"{category.__name__}: {message}")


def _show_traceback(*error: Any) -> None:
    """Print an error of our own; its message may quote a file."""
    sys.stderr.write(clean("".join(traceback.format_exception(*error))))


def _announce_stop(stop: StopRequest) -> None:
    latest = "" if stop.grace is None else f", in {stop.grace:g} s at the latest"
    message = f"stopping after this block of steps{latest}; press Ctrl-C again to stop at once"
    with contextlib.suppress(OSError):  # standard error may be closed
        os.write(2, f"\n{message}\n".encode())


def _exit_interrupted(stop: StopRequest) -> NoReturn:
    open_console().print("interrupted; run the same command to resume")
    terminated = {signal.SIGTERM, signal.SIGHUP} & set(stop.signals)
    sys.exit(TERMINATED if terminated else INTERRUPTED)


def print_error(message: str) -> None:
    """Print an error."""
    _print_message("error:", "bold red", message)


def print_note(message: str, console: "Console | None" = None) -> None:
    """Print a note."""
    _print_message("note:", "bold yellow", message, console)


def _print_message(head: str, style: str, message: str, console: "Console | None" = None) -> None:
    """Print a message after a coloured head, without wrapping."""
    from rich.text import Text

    line = Text.assemble((head, style), " ", message)
    (console or open_console()).print(line, soft_wrap=True)


def _describe_os_error(error: OSError) -> str:
    disk_is_full = error.errno == errno.ENOSPC
    return f"the disk is full ({error.filename or error})" if disk_is_full else str(error)


def exit_wrong_usage(error: Any) -> NoReturn:
    """Print an error of the command line itself, such as an unknown option, and exit."""
    if message := error.format_message():  # empty where the help was printed instead
        if error.ctx is not None:
            open_console().print(error.ctx.get_usage(), soft_wrap=True)
        print_error(message)
    sys.exit(WRONG)


def _print_faults(error: SpecError) -> None:
    for fault in error.faults:
        print_error(str(fault))
    trains = {"run", "bench"} & set(sys.argv[1:2])
    ending = "; nothing was trained" if trains else ""
    open_console().print(f"{counted(len(error.faults), 'fault')}{ending}")


def open_console(*, errors: bool = True) -> "Console":
    """Return the console for messages, or with `errors=False` the one for results."""
    from kerasbatch.cli.console import SafeConsole

    return SafeConsole(errors=errors)


def print_uncut(console: "Console", table: "Table") -> None:
    """Print a table at its full width, because a number that is cut would be wrong."""
    from rich.measure import Measurement

    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    narrow, console.width = console.width, max(width, console.width)
    console.print(table, crop=False)
    console.width = narrow
