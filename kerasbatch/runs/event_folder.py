"""The log directory of TensorBoard, and whether TensorBoard is there to write events."""

import errno
import os
from importlib.util import find_spec
from pathlib import Path

from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.schema import Spec

_OPTION = ("--tensorboard",)


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
    if find_spec("tensorboard") is None:
        message = "TensorBoard is not installed; pip install 'kerasbatch[tensorboard]', or in a "
        message += "clone of the repository pip install -e '.[tensorboard]'"
        place = ("export",) if folder is None else _OPTION
        raise SpecError([Fault(place, message)])
    if folder is None:
        return None
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "permission denied")
    except OSError as error:
        message = f"the folder {folder} cannot be written: {error.strerror}"
        raise SpecError([Fault(_OPTION, message)]) from error
    return Path(folder).absolute()
