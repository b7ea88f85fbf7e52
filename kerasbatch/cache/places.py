"""The folder of the cache."""

import os
from pathlib import Path

VARIABLE = "KERASBATCH_CACHE"
"""The environment variable that names another folder."""


COMPILED = "compiled"


def compiled_folder() -> Path:
    """Return the folder of what JAX has compiled."""
    return cache_folder() / COMPILED


def cache_folder() -> Path:
    """Return `$KERASBATCH_CACHE`, or else the folder of this program in the user's cache."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("kerasbatch", appauthor=False)) / "data"
