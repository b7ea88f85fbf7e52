"""The process that trains an experiment, named in a file of its directory while it does."""

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from kerasbatch.atomic_files import write_text
from kerasbatch.records.stored_files import StoredFileError, read_stored

OWNER = ".owner"
"""The name of the file; a process that is killed leaves it."""
MAX_DIGITS = 10
"""The digits of the number of a process are fewer."""


@dataclass(frozen=True)
class Owner:
    """A process that trains an experiment, or has trained it when it was killed.

    Args:
        pid: its number.
        started: its start time, as a text.
        host: its machine.
    """

    pid: int
    started: str
    host: str

    @property
    def is_elsewhere(self) -> bool:
        """True if it is a process of another machine."""
        return self.host != socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """True if it is a process of this machine that has not ended."""
        with contextlib.suppress(psutil.Error):
            return _started(psutil.Process(self.pid)) == self.started
        return False


def write_owner(folder: Path) -> None:
    """Write the file for this process."""
    process = psutil.Process()
    write_text(folder / OWNER, f"{process.pid} {_started(process)} {socket.gethostname()}\n")


def read_owner(folder: Path) -> Owner | None:
    """Return the process that a file names; None without one, or for another content."""
    try:
        text = read_stored(folder / OWNER).decode("utf-8", "replace")
    except (FileNotFoundError, StoredFileError):  # it is about to write the file, or somebody did
        return None
    parts = text.split()
    if len(parts) != 3 or not parts[0].isdecimal() or len(parts[0]) > MAX_DIGITS:
        return None
    return Owner(int(parts[0]), *parts[1:])


def _started(process: psutil.Process) -> str:
    return repr(process.create_time())
