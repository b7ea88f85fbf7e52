"""Keras' own counts of the steps of a model."""

from dataclasses import dataclass

import keras
import numpy as np

from kerasbatch.engine import keras_fit, keras_private


@dataclass(frozen=True)
class StepCounts:
    """The counts after a step.

    Args:
        updates: the batches that the optimizer has counted.
        examples: the rows that the loss metric has averaged over since its reset; None where a
            custom train_step does not use that metric.
    """

    updates: int
    examples: int | None

    @classmethod
    def of(cls, model: keras.Model) -> "StepCounts":
        """Return the present counts of a model."""
        keras_fit.attach_state(model)
        updates = 0 if model.optimizer is None else keras_private.batches_counted(model.optimizer)
        tracker = next((metric for metric in model.metrics if metric.name == "loss"), None)
        examples = round(float(np.asarray(getattr(tracker, "count", 0.0))))
        return cls(updates, examples or None)
