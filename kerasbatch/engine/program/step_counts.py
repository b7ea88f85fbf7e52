"""Keras' own counts of the steps of a model."""

from dataclasses import dataclass

import keras

from kerasbatch.engine.keras_fit import step_counts


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
        updates, examples = step_counts(model)
        return cls(int(updates), int(examples) or None)
