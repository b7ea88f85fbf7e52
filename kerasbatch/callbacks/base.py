"""The base class of the callbacks: the plan of the training, and its current step."""

from collections.abc import Callable
from typing import Any, ClassVar

import keras

from kerasbatch.errors import KerasbatchError
from kerasbatch.planning import plan as make_plan
from kerasbatch.steps import Plan
from kerasbatch.types import PartialBatch


class PlannedCallback(keras.callbacks.Callback):
    """A callback with the plan of the training and its current step.

    It does not need a call after every batch: the last batch of a block of steps is enough.

    Args:
        plan: the plan, or a function that returns it for the number of epochs of `fit`.
    """

    kept: ClassVar[tuple[str, ...]] = ("epoch",)
    """The attributes that a checkpoint keeps; lists are restored in place."""
    accepts_blocks = True
    accepts_epochs = False
    """True if its hooks may be called late, after later epochs are trained too."""

    def __init__(self, plan: Plan | Callable[[int], Plan]) -> None:
        super().__init__()
        self._plan_source = plan
        self._plan = plan if isinstance(plan, Plan) else None
        self.epoch = 0

    @property
    def has_begun(self) -> bool:
        """True if a training has begun, so that there is a plan."""
        return self._plan is not None

    @property
    def plan(self) -> Plan:
        """The plan of the training.

        Raises:
            KerasbatchError: if no training has begun, so that there is no plan yet.
        """
        if self._plan is None:
            raise KerasbatchError("this callback has not been used in a model.fit yet")
        return self._plan

    def on_train_begin(self, logs: Any = None) -> None:
        """Make the plan for the number of epochs of `fit`, unless a plan was passed."""
        if not isinstance(self._plan_source, Plan):
            self._plan = self._plan_source(int(self.params["epochs"]))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Store the epoch."""
        self.epoch = epoch

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {name: getattr(self, name) for name in self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the state of a checkpoint."""
        for name in self.kept:
            if isinstance(value := getattr(self, name), list):
                value[:] = state[name]
            else:
                setattr(self, name, state[name])

    def step(self, batch: int) -> int:
        """Return the step of the run after batch number `batch` (from 0) of this epoch."""
        return self.plan.step_after(self.epoch, batch)


def plan_of_epochs(
    train_examples: int, batch_size: int, epochs: int | None, partial_batch: PartialBatch
) -> Callable[[int], Plan]:
    """Return a function that makes the plan of a `fit` of `epochs`, by default those of `fit`."""
    return lambda fit_epochs: make_plan(
        train_examples,
        batch_size=batch_size,
        epochs=epochs or fit_epochs,
        partial_batch=partial_batch,
    )
