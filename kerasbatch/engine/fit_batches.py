"""A `fit` on batches that somebody else makes: a tf.data.Dataset, a generator, a PyDataset."""

from dataclasses import replace

import keras
import tensorflow as tf

from kerasbatch.engine import choice, keras_private
from kerasbatch.engine.arguments import Arguments
from kerasbatch.engine.fit_arrays import validation_beside_batches
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.options import FitOptions, Needs
from kerasbatch.engine.plain import KerasOwnTraining
from kerasbatch.engine.stacked import Stacked
from kerasbatch.engine.start import Training, left_to_keras, start_on_batches
from kerasbatch.shared_types import Engine


def begin_on_batches(
    model: keras.Model,
    given: Arguments,
    options: FitOptions,
    engine: Engine,
    needs: Needs,
) -> tuple[Training | KerasOwnTraining, FitOptions]:
    """Choose who trains on batches that somebody else makes, and compile."""
    keras_private.assert_compiled(model)
    given.for_keras()  # refuses what Keras does not have, whoever trains
    found: FusedTraining | str = _only_keras_takes(given) or ""
    is_dataset = isinstance(given.x, tf.data.Dataset)
    why = choice.gains_nothing(given.x, given.steps_per_epoch) if is_dataset else None
    if engine == "auto" and why and not found:
        return left_to_keras(model, given, None, engine, why), options
    if not found and engine != "keras":
        adapter = keras_private.adapter(
            given.x,
            steps=given.steps_per_epoch,
            # Only a PyDataset is shuffled by Keras; of other data it says that they cannot be.
            shuffle=given.shuffle and isinstance(given.x, keras.utils.PyDataset),
            class_weight=given.class_weight,
        )
        left = max(0, given.epochs - given.initial_epoch)
        source = Stacked(adapter, given.epochs, given.steps_per_epoch, left=left)
        found = start_on_batches(model, source, needs=needs, callbacks=options.callbacks)
        given = replace(given, x=keras_private.put_back(adapter, given.x))
    if isinstance(found, FusedTraining):
        return found, replace(options, validation=validation_beside_batches(given))
    return left_to_keras(model, given, found or None, engine), options


def _only_keras_takes(given: Arguments) -> str | None:
    """Return what beside batches only Keras knows what to do with, or None."""
    if given.y is not None or given.sample_weight is not None:
        return "labels and weights come with the batches, and not beside them"
    if given.validation_split:
        return "validation_split needs arrays"
    if given.epochs <= given.initial_epoch or given.validation_steps == 0:
        return "there is nothing to do"
    if isinstance(given.x, keras.utils.PyDataset) and given.steps_per_epoch is not None:
        return "steps_per_epoch cuts the epochs of a PyDataset"
    return None
