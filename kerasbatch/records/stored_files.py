"""Opens the files of a results folder for reading; Keras alone opens a checked model again.

The folder may come from a stranger: a link may lead to a private file, a pipe may block for ever,
and a sparse file may be larger than the memory.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from kerasbatch.errors import KerasbatchError, SpecError
from kerasbatch.spec.reader import SpecSource, parse_spec

_MIB = 2**20
_AT_ONCE = {".csv": 2048 * _MIB, ".json": 64 * _MIB}
"""The largest size in bytes of a file that is read at once, by its ending."""
_IN_PARTS = _AT_ONCE | {
    ".csv": 8192 * _MIB,
    ".json": 8192 * _MIB,  # the rows in the state of a long training
    **dict.fromkeys((".keras", ".h5", ".bin"), 65_536 * _MIB),
}
"""The largest size in bytes of a file that is read in parts."""
_OTHER_LIMIT = _MIB
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK"))
"""Windows has neither flag."""


class StoredFileError(KerasbatchError):
    """A file of a results folder that cannot be read; the message follows the name of the file."""


@contextmanager
def open_stored(path: Path, *, in_parts: bool = False) -> Iterator[BufferedReader]:
    """Open a regular file, without following a link in its place.

    Args:
        path: the file.
        in_parts: whether the caller reads it in parts, so that it may be larger than the memory.

    Raises:
        FileNotFoundError: if there is no file.
        StoredFileError: if it is a link, a directory or a pipe, too large, or cannot be read.
    """
    descriptor = _descriptor(path)
    try:
        limits = _IN_PARTS if in_parts else _AT_ONCE
        _check(os.fstat(descriptor), limits.get(path.suffix, _OTHER_LIMIT))
    except StoredFileError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def _descriptor(path: Path) -> int:
    is_link = "is a link, which is not followed"
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise StoredFileError(is_link)
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        followed = error.errno == errno.ELOOP
        reason = is_link if followed else f"cannot be read ({error.strerror})"
        raise StoredFileError(reason) from None


def _check(status: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StoredFileError("is not a file")
    if status.st_size > limit:
        size = f"{status.st_size / _MIB:,.0f} MiB"
        raise StoredFileError(f"has {size}, more than the limit of {limit // _MIB:,} MiB")


def read_stored(path: Path) -> bytes:
    """Return the content of a file; errors as in `open_stored`."""
    with open_stored(path) as stream:
        return stream.read()


def read_stored_spec(path: Path) -> SpecSource:
    """Return the spec in a file.

    Raises:
        StoredFileError: if it is missing or cannot be read, or its spec is wrong.
    """
    try:
        return parse_spec(read_stored(path), path)
    except FileNotFoundError:
        raise StoredFileError("is missing") from None
    except SpecError as error:
        raise StoredFileError(f"holds no legal spec: {error.faults[0].message}") from error


def hash_stored(path: Path) -> str:
    """Return the SHA-256 of a file, which is read in parts; errors as in `open_stored`."""
    digest = hashlib.sha256()
    with open_stored(path, in_parts=True) as stream:
        while part := stream.read(_MIB):
            digest.update(part)
    return digest.hexdigest()
