"""The temporary folder that workers share: their data, and the end of their output.

A held lock in the folder shows that its process lives. The number of a process shows nothing:
containers share temporary folders, and each counts its processes from 1.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from kerasbatch.errors import WorkerError

_PREFIX, _UNLOCKED = "kerasbatch-workers-", ".kerasbatch-new-"
"""The names of folders that are locked, and of new ones whose lock is not held yet."""
_LOCK = ".lock"


class WorkerFolder:
    """A new temporary folder; folders of processes that were killed are deleted.

    Raises:
        WorkerError: if there is no room for it.
    """

    def __init__(self) -> None:
        try:
            parent = Path(tempfile.gettempdir())
            _delete_abandoned(parent)
            new = Path(tempfile.mkdtemp(prefix=_UNLOCKED, dir=parent))
            self._lock = FileLock(new / _LOCK)
            self._lock.acquire()
            self.path = new.rename(parent / f"{_PREFIX}{new.name.removeprefix(_UNLOCKED)}")
        except OSError as error:
            message = f"no temporary folder can be made ({error}); its disk may be full"
            raise WorkerError(f"{message}: free some room, or set TMPDIR to another one") from error

    def close(self) -> None:
        """Delete the folder."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _delete_abandoned(parent: Path) -> None:
    for folder in _own_folders(parent):
        in_use_or_gone = contextlib.suppress(Timeout, OSError)
        with in_use_or_gone, FileLock(folder / _LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)


def _own_folders(parent: Path) -> Iterator[Path]:
    """Yield the folders of this user; anybody may put a link into a shared folder."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                yield folder
