"""The log directory of TensorBoard, and whether TensorBoard is there to write events."""

import errno
import os
from importlib.util import find_spec
from pathlib import Path

from kerasbatch.errors import SpecError
from kerasbatch.spec.schema import Spec


def event_folder(spec: Spec, folder: str | Path | None) -> Path | None:
    """Return the log directory of TensorBoard, which is made; None without one.

    Args:
        spec: the spec of the runs, which may ask for event files in their own directories.
        folder: the log directory, or None.

    Raises:
        SpecError: if it cannot be written, or if TensorBoard is not installed.
    """
    if folder is None and "tensorboard" not in spec.export:
        return None
    place = ("export",) if folder is None else ("tensorboard",)
    if find_spec("tensorboard") is None:
        message = "TensorBoard is not installed; pip install 'kerasbatch[tensorboard]'"
        raise SpecError.at(place, message)
    if folder is None:
        return None
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "permission denied")
    except OSError as error:
        message = f"the folder {folder} cannot be written: {error.strerror}"
        raise SpecError.at(place, message) from error
    return Path(folder).absolute()
