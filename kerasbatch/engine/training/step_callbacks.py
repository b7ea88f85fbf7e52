"""The callbacks of a training in blocks."""

from typing import Any

import keras


class StepCallbacks(keras.callbacks.CallbackList):
    """Callbacks whose batch hooks are called for steps, and not for the one item of `fit`."""

    epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Record the epoch."""
        self.epoch = epoch
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Do nothing: the batch is the one item of `fit`."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Do nothing: the batch is the one item of `fit`."""

    def steps_begin(self, batch: int) -> None:
        """Call the batch hooks before the first step of a block."""
        super().on_train_batch_begin(batch)

    def steps_end(self, batch: int, logs: Any) -> None:
        """Call the batch hooks after the last step of a block."""
        super().on_train_batch_end(batch, logs)
