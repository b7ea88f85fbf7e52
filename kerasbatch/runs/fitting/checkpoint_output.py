"""The writing of the checkpoints of a `fit`, and the stop that waits for one."""

from collections.abc import Mapping
from typing import Any

import keras

from kerasbatch.records.checkpoints.checkpoint_folder import CheckpointFolder
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.runs.messages import not_written
from kerasbatch.runs.progress import NoteWriter
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.runs.training.checkpointing.checkpointer import Checkpointer


class CheckpointOutput:
    """Writes checkpoints, and notifies of one that cannot be written.

    Args:
        folder: the folder of checkpoints.
        facts: the facts of every checkpoint.
        lost: a sentence about what checkpoints cannot keep, for the first one; or empty.
    """

    def __init__(self, folder: CheckpointFolder, facts: Mapping[str, Any], lost: str) -> None:
        self._folder, self._facts, self._lost, self._notes = folder, facts, lost, NoteWriter()

    def write(self, step: int, state: State) -> None:
        """Write the state after a step."""
        if self._lost:
            self._notes.notice(self._lost)
            self._lost = ""
        try:
            self._folder.write(step, state, {**self._facts, "epochs": state["epoch"]})
        except OSError as error:
            self._notes.notice(not_written(step, error).text)


class StopCheck(keras.callbacks.Callback):
    """Lets a requested stop wait for the next checkpoint, where the engine has one.

    Args:
        checkpointer: writes the checkpoints.
        stop: the request.
    """

    accepts_blocks = accepts_epochs = True

    def __init__(self, checkpointer: Checkpointer, stop: StopRequest) -> None:
        super().__init__()
        self._checkpointer, self._stop = checkpointer, stop

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop between two blocks of steps."""
        with self._checkpointer.deferred_stop():
            self._stop.raise_if_requested()
