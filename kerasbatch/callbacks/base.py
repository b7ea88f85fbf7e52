"""What the callbacks share: the plan of the training, and the step that it is at."""

from collections.abc import Callable
from typing import Any

import keras

from kerasbatch.errors import KerasbatchError
from kerasbatch.planning import plan as make_plan
from kerasbatch.steps import Plan
from kerasbatch.types import PartialBatch


class PlannedCallback(keras.callbacks.Callback):
    """A callback that knows the plan of the training and the step it is at.

    It need not hear of every batch: the last one of a block of steps is enough.

    Args:
        plan: the plan, or a function that makes it from the epochs that `fit` is called with.
    """

    hears_blocks = True

    def __init__(self, plan: Plan | Callable[[int], Plan]) -> None:
        super().__init__()
        self._given = plan
        self._made = plan if isinstance(plan, Plan) else None
        self.epoch = 0

    @property
    def plan(self) -> Plan:
        """The plan of the training.

        Raises:
            KerasbatchError: if it is not made yet, since no training has begun.
        """
        if self._made is None:
            raise KerasbatchError("this callback has not been used in a model.fit yet")
        return self._made

    def on_train_begin(self, logs: Any = None) -> None:
        """Make the plan, if there is none, with the epochs that `fit` was called with."""
        if not isinstance(self._given, Plan):
            self._made = self._given(int(self.params["epochs"]))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the epoch."""
        self.epoch = epoch

    def step(self, batch: int) -> int:
        """Return the step of the run after batch number `batch` (from 0) of this epoch."""
        return self.plan.step_after(self.epoch, batch)


def plan_of_epochs(
    train_examples: int, batch_size: int, epochs: int | None, partial_batch: PartialBatch
) -> Callable[[int], Plan]:
    """Return what plans a `fit` of whole epochs, with its own epochs where none are given."""
    return lambda of_fit: make_plan(
        train_examples,
        batch_size=batch_size,
        epochs=epochs or of_fit,
        partial_batch=partial_batch,
    )
