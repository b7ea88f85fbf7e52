"""A `fit` on arrays: what only Keras can train on, the order, and the validation."""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.fit.arrays import (
    FitArrays,
    first_batches,
    gather_arrays,
    gather_validation,
    non_array_kind,
)
from kerasbatch.engine.options import FitOptions, Needs, Validation
from kerasbatch.engine.sources.dataset import BatchSource
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.choose import memory_obstacle, no_gain_reason
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.plain import KerasOwnTraining
from kerasbatch.engine.training.start import Training, refusal, start, start_on_batches
from kerasbatch.steps import plan
from kerasbatch.types import Engine

DEFAULT_BATCH_SIZE = 32
"""What Keras takes where nothing is said, or all examples if they are fewer."""


def begin_on_arrays(
    model: keras.Model,
    given: FitArguments,
    engine: Engine,
    needs: Needs,
    seed: int | None,
) -> tuple[Training | KerasOwnTraining, FitOptions]:
    """Choose who trains on arrays, and compile."""
    obstacle, options = _array_obstacle(given), given.options()
    if obstacle is None:
        keras_private.assert_compiled(model)
        gathered = gather_arrays(given)
        obstacle = gathered.obstacle or _number_obstacle(given, gathered)
    if obstacle is not None:
        return left_to_keras(model, given, obstacle, engine), options
    feed = _example_stream(given, gathered, seed)
    size = None if given.batch_size is None else feed.plan.batch_size
    validation = _validation(given, gathered, size)
    training = start(
        model,
        feed,
        engine=engine,
        needs=needs,
        callbacks=options.callbacks,
        validation=validation.data if validation and validation.is_arrays else None,
    )
    return training, replace(options, validation=validation)


def _array_obstacle(given: FitArguments) -> str | None:
    """Return what keeps this from being planned at all, or None."""
    if kind := non_array_kind(given.x, given.y, given.sample_weight):
        return f"{kind} is no array; blocks of steps need data that lie in memory as arrays"
    if keras.tree.is_nested(given.x) and any(leaf is None for leaf in keras.tree.flatten(given.x)):
        return "an input is None, and blocks of steps need an array for each"
    return None


def _number_obstacle(given: FitArguments, gathered: FitArrays) -> str | None:
    """Return a number that Keras takes in a way of its own, or None."""
    n = _examples(gathered)
    if isinstance(given.batch_size, int) and given.batch_size > n:
        return f"batch_size is {given.batch_size:,}, more than the {n:,} examples"
    if given.epochs == 0:
        return "epochs is 0, so there is no training"
    if given.validation_steps == 0:
        return "validation_steps is 0, so there is nothing to validate on"
    return None


def _examples(gathered: FitArrays) -> int:
    return len(keras.tree.flatten(gathered.train)[0])


def _example_stream(given: FitArguments, gathered: FitArrays, seed: int | None) -> ExampleStream:
    """Plan the passes over the data; an epoch is one of them, or `steps_per_epoch` of its steps."""
    n, epochs, per_epoch = _examples(gathered), given.epochs, given.steps_per_epoch
    size = _usual_size(n, per_epoch) if given.batch_size is None else given.batch_size
    one_pass = plan(n, batch_size=size, epochs=1)
    feed = ExampleStream(
        gathered.train,
        one_pass.with_budget("epochs", epochs),
        # NumPy's global generator is one of those that keras.utils.set_random_seed sets.
        int(np.random.randint(2**32, dtype=np.uint64)) if seed is None else int(seed),
        "shuffle" if given.shuffle else "sequential",
    )
    if per_epoch is None or per_epoch == one_pass.steps_per_epoch:
        return feed
    feed = replace(feed, steps_per_epoch=per_epoch, epochs_asked=epochs)
    passes = feed.start(epochs)[0]
    return replace(feed, plan=one_pass.with_budget("epochs", passes))


def _usual_size(n: int, steps: int | None) -> int:
    """Return the batch size that Keras takes where none is given: what makes so many steps."""
    return -(-n // steps) if steps else min(DEFAULT_BATCH_SIZE, n)


def cut_epoch(feed: ExampleStream) -> str | None:
    """Say which epoch is the first that cannot have its `steps_per_epoch`, if one is."""
    for epoch in range(1, min(feed.epochs, feed.plan.steps_per_epoch) + 1):
        if feed.ends_early(epoch):
            taken, asked = feed.steps(epoch), feed.steps_per_epoch
            return f"epoch {epoch} meets the end of the data after {taken} of {asked} steps"
    return None


def _validation(
    given: FitArguments, gathered: FitArrays, batch_size: int | None = None
) -> Validation | None:
    if gathered.validation is None:
        return given.validation_by_keras()
    steps = given.validation_steps
    usual = _usual_size(len(keras.tree.flatten(gathered.validation)[0]), steps)
    size = given.validation_batch_size or batch_size or usual
    held = first_batches(gathered.validation, size, steps)
    return Validation(held, True, size, steps, given.validation_freq)


def validation_beside_batches(given: FitArguments) -> Validation | None:
    """Return what is validated on where the training data are no arrays."""
    if given.validates_on_arrays:
        held, obstacle = gather_validation(given)
        if not obstacle and not memory_obstacle([held]):
            return _validation(given, FitArrays((), held, None))
    return given.validation_by_keras()


def begin_on_batches(
    model: keras.Model,
    given: FitArguments,
    options: FitOptions,
    engine: Engine,
    needs: Needs,
) -> tuple[Training | KerasOwnTraining, FitOptions]:
    """Choose who trains on batches that somebody else makes, and compile."""
    keras_private.assert_compiled(model)
    given.for_keras()  # refuses what Keras does not have, whoever trains
    found: FusedTraining | str = _batch_obstacle(given) or ""
    is_dataset = isinstance(given.x, tf.data.Dataset)
    why = no_gain_reason(given.x, given.steps_per_epoch) if is_dataset else None
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
        source = BatchSource(adapter, given.epochs, given.steps_per_epoch, left=left)
        found = start_on_batches(model, source, needs=needs, callbacks=options.callbacks)
        given = replace(given, x=keras_private.put_back(adapter, given.x))
    if isinstance(found, FusedTraining):
        return found, replace(options, validation=validation_beside_batches(given))
    return left_to_keras(model, given, found or None, engine), options


def _batch_obstacle(given: FitArguments) -> str | None:
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


def left_to_keras(
    model: keras.Model,
    given: FitArguments,
    obstacle: str | None,
    engine: Engine,
    why: str = "as asked for",
) -> KerasOwnTraining:
    """Return a training by `model.fit` as it was called.

    Args:
        model: a compiled model.
        given: the arguments of `fit`.
        obstacle: what keeps the fused engine from training this, or None: nothing does.
        engine: what was asked for.
        why: why it is not used, where there is no obstacle.

    Raises:
        EngineError: if `engine` is fused.
        SpecError: if an argument is none that Keras has.
    """
    if engine == "fused":
        raise refusal(str(obstacle))
    return KerasOwnTraining(model, given.for_keras(), obstacle, why)
