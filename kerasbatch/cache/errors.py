"""The errors of the cache."""

import errno
from pathlib import Path

from kerasbatch.errors import KerasbatchError


class CacheError(KerasbatchError):
    """The cache cannot hold the data; what it held before is unchanged."""


def cannot_write(folder: Path, error: OSError) -> CacheError:
    """Return the error of a folder that cannot be written into."""
    reason, advice = error.strerror or str(error), "set KERASBATCH_CACHE to another folder"
    if error.errno == errno.ENOSPC:
        reason, advice = "the disk is full", ADVICE
    return CacheError(f"the data cannot be written into {folder}: {reason}; {advice}")


ADVICE = "free some room (kerasbatch cache --clear), or set KERASBATCH_CACHE to another folder"
