"""The folder of checkpoints of a `kerasbatch.fit(checkpoint=DIR)`, and the one to go on from."""

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
from filelock import FileLock, Timeout

from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.fit.arrays import makes_batches
from kerasbatch.errors import DirectoryInUseError, SpecError
from kerasbatch.records.checkpoints.checkpoint_folder import Checkpoint, CheckpointFolder
from kerasbatch.runs.progress import NoteWriter
from kerasbatch.spec.stored_schema import CHECKPOINT_FORM, CheckpointEvery

EVERY_EPOCH: Mapping[str, float] = {"epochs": 1}
"""The distance of checkpoints by default."""
_PLACE = ("checkpoint",)
_ENGINES = ("fused", "keras")
_ADVICE = "give another folder, or delete this one"


@contextlib.contextmanager
def locked_folder(path: Path) -> Iterator[CheckpointFolder]:
    """Yield a folder of checkpoints that is locked for this process.

    Raises:
        SpecError: if it cannot be written.
        DirectoryInUseError: if another process uses it.
    """
    if path.exists() and not path.is_dir():
        raise SpecError.at(_PLACE, f"{path} is a file; give a folder")
    lock = FileLock(path / ".lock", timeout=0)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if (path / ".lock").is_symlink():
            raise OSError(errno.ELOOP, ".lock is a link, which is not followed")
        lock.acquire()
    except Timeout:
        message = f"{path} is in use by another process; wait, or stop it"
        raise DirectoryInUseError(message) from None
    except OSError as error:
        message = f"the folder {path} cannot be written: {error.strerror}"
        raise SpecError.at(_PLACE, message) from error
    try:
        yield CheckpointFolder(path)
    finally:
        lock.release()


def checkpoint_distance(every: Mapping[str, float] | None) -> CheckpointEvery:
    """Return a checked distance of checkpoints.

    Raises:
        SpecError: if it is not one number of epochs, steps or minutes.
    """
    distance: CheckpointEvery | None = None
    with contextlib.suppress(ValueError):  # pydantic's error has another form
        distance = CheckpointEvery.model_validate(EVERY_EPOCH if every is None else every)
    if distance is None or len(distance.units) != 1:
        message = f"found {every!r}; must be {CHECKPOINT_FORM}"
        raise SpecError.at(("checkpoint_every",), message)
    return distance


def refuse_arguments(arguments: FitArguments, path: Any, every: Any) -> None:
    """Raise SpecError for arguments of `fit` that have no checkpoints.

    Args:
        arguments: the arguments of Keras' `fit`.
        path: the folder, or None for a training without checkpoints.
        every: their distance, or None.
    """
    if path is None:
        if every is not None:
            raise SpecError.at(("checkpoint_every",), "needs checkpoint, the folder to write into")
        return
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise SpecError.at(_PLACE, f'found {path!r}; must be a folder, like "checkpoints"')
    if makes_batches(arguments.x):
        message = "needs arrays, since the order of a dataset or a generator is its own"
        raise SpecError.at(_PLACE, message)
    if arguments.steps_per_epoch is not None:
        raise SpecError.at(_PLACE, "needs epochs that are whole passes; leave steps_per_epoch out")
    callbacks = keras.tree.flatten(arguments.callbacks or [])
    if any(isinstance(callback, keras.callbacks.BackupAndRestore) for callback in callbacks):
        raise SpecError.at(_PLACE, "replaces BackupAndRestore; leave that callback out")


def last_checkpoint(
    folder: CheckpointFolder, identity: Mapping[str, str], epochs: int, ours: Mapping[str, Any]
) -> Checkpoint | None:
    """Return the last whole checkpoint of a training; notify of damaged ones.

    Args:
        folder: its folder.
        identity: its identity.
        epochs: its epochs.
        ours: our own arguments of `fit`.

    Raises:
        SpecError: if it is a checkpoint of another training.
    """
    notes = NoteWriter()
    for checkpoint in folder.newest():
        if isinstance(checkpoint, Checkpoint):
            _refuse_another(checkpoint, folder.path, identity, epochs, ours)
            return checkpoint
        notes.notice(f"{folder.path}: {checkpoint}")
    if folder.has_any():
        notes.notice(f"{folder.path}: no checkpoint can be used; training from the start")
    return None


def _refuse_another(
    checkpoint: Checkpoint,
    path: Path,
    identity: Mapping[str, str],
    epochs: int,
    ours: Mapping[str, Any],
) -> None:
    facts = checkpoint.facts
    trained, seed, theirs = facts.get("epochs", 0), facts.get("seed"), facts.get("training")
    is_counted = isinstance(trained, int) and isinstance(seed, int) and seed >= 0
    if not isinstance(theirs, dict) or not is_counted or facts["engine"] not in _ENGINES:
        raise SpecError.at(_PLACE, f"{path} holds checkpoints of a run, not of fit; {_ADVICE}")
    other = [name for name, content in identity.items() if theirs.get(name) != content]
    other += ["seed"] if ours.get("seed") not in (None, seed) else []
    other += ["engine"] if ours.get("engine", "auto") not in ("auto", facts["engine"]) else []
    if other:
        message = f"{path} holds a checkpoint of another training, with other {' and '.join(other)}"
        raise SpecError.at(_PLACE, f"{message}; {_ADVICE}")
    if trained > epochs:
        message = f"{path} holds a checkpoint after {trained} epochs, and epochs is {epochs}"
        raise SpecError.at(_PLACE, f"{message}; {_ADVICE}")
