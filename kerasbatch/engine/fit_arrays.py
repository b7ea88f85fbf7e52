"""A `fit` on arrays: what only Keras can train on, the order, and the validation."""

from dataclasses import replace

import keras
import numpy as np

from kerasbatch.engine import choice, keras_private
from kerasbatch.engine.arguments import Arguments
from kerasbatch.engine.arrays import (
    Gathered,
    first_batches,
    gather,
    gather_validation,
    not_arrays,
)
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.options import FitOptions, Needs, Validation
from kerasbatch.engine.plain import KerasOwnTraining
from kerasbatch.engine.start import Training, left_to_keras, start
from kerasbatch.shared_types import Engine
from kerasbatch.steps import plan

DEFAULT_BATCH_SIZE = 32
"""What Keras takes where nothing is said, or all examples if they are fewer."""


def begin_on_arrays(
    model: keras.Model,
    given: Arguments,
    engine: Engine,
    needs: Needs,
    seed: int | None,
) -> tuple[Training | KerasOwnTraining, FitOptions]:
    """Choose who trains on arrays, and compile."""
    obstacle, options = _only_keras_can(given), given.options()
    if obstacle is None:
        keras_private.assert_compiled(model)
        gathered = gather(given)
        obstacle = gathered.obstacle or _only_keras_counts(given, gathered)
    if obstacle is not None:
        return left_to_keras(model, given, obstacle, engine), options
    feed = _feed(given, gathered, seed)
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


def _only_keras_can(given: Arguments) -> str | None:
    """Return what keeps this from being planned at all, or None."""
    if kind := not_arrays(given.x, given.y, given.sample_weight):
        return f"{kind} is no array; blocks of steps need data that lie in memory as arrays"
    if keras.tree.is_nested(given.x) and any(leaf is None for leaf in keras.tree.flatten(given.x)):
        return "an input is None, and blocks of steps need an array for each"
    return None


def _only_keras_counts(given: Arguments, gathered: Gathered) -> str | None:
    """Return a number that Keras takes in a way of its own, or None."""
    n = _examples(gathered)
    if isinstance(given.batch_size, int) and given.batch_size > n:
        return f"batch_size is {given.batch_size:,}, more than the {n:,} examples"
    if given.epochs == 0:
        return "epochs is 0, so there is no training"
    if given.validation_steps == 0:
        return "validation_steps is 0, so there is nothing to validate on"
    return None


def _examples(gathered: Gathered) -> int:
    return len(keras.tree.flatten(gathered.train)[0])


def _feed(given: Arguments, gathered: Gathered, seed: int | None) -> Feed:
    """Plan the passes over the data; an epoch is one of them, or `steps_per_epoch` of its steps."""
    n, epochs, per_epoch = _examples(gathered), given.epochs, given.steps_per_epoch
    size = _usual_size(n, per_epoch) if given.batch_size is None else given.batch_size
    one_pass = plan(n, batch_size=size, epochs=1)
    feed = Feed(
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


def cut_epoch(feed: Feed) -> str | None:
    """Say which epoch is the first that cannot have its `steps_per_epoch`, if one is."""
    for epoch in range(1, min(feed.epochs, feed.plan.steps_per_epoch) + 1):
        if feed.ends_early(epoch):
            taken, asked = feed.steps(epoch), feed.steps_per_epoch
            return f"epoch {epoch} meets the end of the data after {taken} of {asked} steps"
    return None


def _validation(
    given: Arguments, gathered: Gathered, batch_size: int | None = None
) -> Validation | None:
    if gathered.validation is None:
        return given.validation_by_keras()
    steps = given.validation_steps
    usual = _usual_size(len(keras.tree.flatten(gathered.validation)[0]), steps)
    size = given.validation_batch_size or batch_size or usual
    held = first_batches(gathered.validation, size, steps)
    return Validation(held, True, size, steps, given.validation_freq)


def validation_beside_batches(given: Arguments) -> Validation | None:
    """Return what is validated on where the training data are no arrays."""
    if given.validates_on_arrays:
        held, obstacle = gather_validation(given)
        if not obstacle and not choice.too_large([held]):
            return _validation(given, Gathered((), held, None))
    return given.validation_by_keras()
