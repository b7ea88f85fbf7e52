"""A `fit` on batches that somebody else makes: a tf.data.Dataset, a generator, a PyDataset."""

from dataclasses import replace

import keras

from kerasbatch.engine import keras_private
from kerasbatch.engine.arguments import Arguments
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.options import FitOptions, Needs, Validation
from kerasbatch.engine.plain import KerasOwnTraining
from kerasbatch.engine.stacked import Stacked
from kerasbatch.engine.start import Training, refusal, start_on_batches
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
    for_keras = given.for_keras()
    found: FusedTraining | str = _only_keras_takes(given) or ""
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
        found = start_on_batches(
            model, source, engine=engine, needs=needs, callbacks=options.callbacks
        )
        for_keras["x"] = keras_private.put_back(adapter, given.x)
    if isinstance(found, FusedTraining):
        return found, replace(options, validation=_validation(given))
    if engine == "fused":
        raise refusal(found)
    return KerasOwnTraining(model, for_keras, found or None), options


def _only_keras_takes(given: Arguments) -> str | None:
    """Return what beside batches only Keras knows what to do with, or None."""
    if given.y is not None or given.sample_weight is not None:
        return "labels and weights come with the batches, and not beside them"
    if given.validation_split:
        return "validation_split needs arrays"
    if given.epochs == 0 or given.validation_steps == 0:
        return "there is nothing to do"
    if isinstance(given.x, keras.utils.PyDataset) and given.steps_per_epoch is not None:
        return "steps_per_epoch cuts the epochs of a PyDataset"
    return None


def _validation(given: Arguments) -> Validation | None:
    """Return what Keras will validate on."""
    if given.validation_data is None:
        return None
    size, steps = given.validation_batch_size, given.validation_steps
    if size is None and given.batch_size != "full":
        size = given.batch_size
    return Validation(given.validation_data, False, size, steps, given.validation_freq)
