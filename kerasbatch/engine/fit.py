"""`kerasbatch.fit`: a drop-in for `model.fit`, many steps in one compiled program."""

import os
import warnings
from dataclasses import dataclass, replace
from typing import Any, get_args

import keras
import numpy as np

from kerasbatch.engine import keras_private
from kerasbatch.engine.arguments import Arguments
from kerasbatch.engine.arrays import (
    Gathered,
    first_batches,
    gather,
    makes_batches,
    not_arrays,
)
from kerasbatch.engine.environment import LIMITS
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.options import FitOptions, Needs, Validation
from kerasbatch.engine.plain import KerasOwnTraining
from kerasbatch.engine.stacked import Stacked
from kerasbatch.engine.start import Training, refusal, start, start_on_batches
from kerasbatch.errors import EngineError, SpecError
from kerasbatch.shared_types import BatchSize, Engine
from kerasbatch.steps import plan

DEFAULT_BATCH_SIZE = 32
"""What Keras takes where no batch size is given, or all examples if they are fewer."""


@dataclass(frozen=True)
class Report:
    """How `kerasbatch.fit` trained; it stands in the history as `history.kerasbatch`.

    Args:
        engine: `fused` or `keras`.
        data: `resident` on the device, `streamed` to it in our order, `stacked` batches of somebody
            else's order, or `keras`: as plain fit reads them.
        why: why this engine, and whether with XLA.
        seed: the seed of the order; None where Keras kept its own order.
        compile_seconds: the seconds that compiling took; None where Keras did it in passing.
    """

    engine: str
    data: str
    why: str
    seed: int | None
    compile_seconds: float | None


def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    batch_size: BatchSize | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
    *,
    seed: int | None = None,
    engine: Engine = "auto",
    jit_compile: bool | None = None,
) -> keras.callbacks.History:
    """Train a compiled Keras model as `model.fit` does, many steps in one compiled program.

    The arithmetic is Keras' own `train_step`: the same batches in the same order give the weights
    of `model.fit`, up to the rounding of float32. Dropout and other random layers start from the
    same seeds, but XLA's generator may draw other masks than TensorFlow's. Sequential, functional
    and subclassed models work, with arrays, or lists or dicts of arrays, and a train_step of one's
    own. Afterwards the model is as Keras would have left it. What cannot be trained in blocks is
    trained by plain `model.fit`, with a warning that says why.

    Args:
        model: a compiled model.
        x: arrays of shape (n, ...), or pandas tables.
        y: arrays of shape (n, ...), or pandas tables.
        batch_size: examples of one step, `full` for n; if None, 32 as in Keras, or n if that is
            less.
        epochs: the epoch to end with, as in Keras.
        verbose: as in Keras.
        callbacks: as in Keras. Those for batches hear of the last step of each block; where one
            has something to do after every batch, plain `model.fit` trains.
        validation_split: as in Keras.
        validation_data: as in Keras.
        shuffle: True for `example_order`'s fresh order in every epoch, False for that of the data.
        class_weight: as in Keras.
        sample_weight: as in Keras.
        initial_epoch: as in Keras.
        steps_per_epoch: as in Keras: an epoch has so many steps and goes on in the data where the
            last one ended; one that meets the end of the data ends there, with a warning.
        validation_steps: as in Keras.
        validation_batch_size: as in Keras; the fused engine needs it for `validation_steps` only.
        validation_freq: as in Keras.
        seed: the seed of the order; None draws one from NumPy's global generator, which
            `keras.utils.set_random_seed` sets, and `history.kerasbatch.seed` tells it.
        engine: `auto`, `fused` (an error where it cannot work) or `keras` (plain `model.fit`).
        jit_compile: True or False to compile with or without XLA; None chooses. (Keras keeps no
            trace of a `compile(jit_compile=False)` where that is its default.)

    Returns:
        Keras' History, with a Report as `history.kerasbatch`.

    Raises:
        SpecError: if the data or a number are wrong; all faults at once.
        EngineError: if `engine` is fused and cannot work, or an environment variable would cut the
            training short.
    """
    _refuse_limits()
    _check_choices(engine, jit_compile, seed)
    given = Arguments(
        x,
        y,
        batch_size,
        epochs,
        verbose,
        callbacks,
        validation_split,
        validation_data,
        shuffle,
        class_weight,
        sample_weight,
        initial_epoch,
        steps_per_epoch,
        validation_steps,
        validation_batch_size,
        validation_freq,
        validates_on_arrays=validation_data is not None and not not_arrays(validation_data),
    ).checked()
    training, options = _begin(model, given, engine, jit_compile, seed)
    if training.obstacle and engine == "auto":
        because = f"training by plain model.fit, because {training.obstacle}"
        warnings.warn(because, stacklevel=2)
    if isinstance(training, FusedTraining) and training.feed and (cut := _cut_epoch(training.feed)):
        warnings.warn(cut, stacklevel=2)
    history = training.fit(options)
    used = training.feed.seed if training.feed else None
    history.kerasbatch = Report(
        training.name, training.data, training.why, used, training.compile_seconds
    )
    return history


def _refuse_limits() -> None:
    for name in LIMITS:
        if name in os.environ:
            message = f"{name}={os.environ[name]} would cut the training short; unset it"
            raise EngineError(f"{message}, and start Python again, since Keras has read it")


def _check_choices(engine: Any, jit_compile: Any, seed: Any) -> None:
    if engine not in get_args(Engine):
        names = ", ".join(get_args(Engine))
        raise SpecError.at(("engine",), f"found {engine!r}; must be one of {names}")
    if jit_compile not in (None, True, False):
        raise SpecError.at(("jit_compile",), f"found {jit_compile!r}; must be True, False or None")
    if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0):
        raise SpecError.at(("seed",), f"found {seed!r}; must be a whole number, 0 or more")


def _begin(
    model: keras.Model,
    given: Arguments,
    engine: Engine,
    jit_compile: bool | None,
    seed: int | None,
) -> tuple[Training | KerasOwnTraining, FitOptions]:
    """Choose who trains, and compile."""
    obstacle, options = _only_keras_can(model, given), given.options()
    if obstacle is None and makes_batches(given.x):
        return _begin_on_batches(model, given, options, engine, jit_compile)
    if obstacle is None:
        keras_private.assert_compiled(model)
        gathered = gather(given)
        obstacle = gathered.obstacle or _only_keras_counts(given, gathered)
    if obstacle is not None:
        if engine == "fused":
            raise refusal(obstacle)
        return KerasOwnTraining(model, given.for_keras(), obstacle), options
    feed = _feed(given, gathered, seed)
    validation = _validation(given, gathered, feed.plan.batch_size)
    training = start(
        model,
        feed,
        engine=engine,
        needs=_needs(options, jit_compile),
        callbacks=options.callbacks,
        validation=validation.data if validation and validation.is_arrays else None,
    )
    return training, replace(options, validation=validation)


def _begin_on_batches(
    model: keras.Model,
    given: Arguments,
    options: FitOptions,
    engine: Engine,
    jit_compile: bool | None,
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
        needs = _needs(options, jit_compile)
        source = Stacked(adapter, given.epochs, given.steps_per_epoch)
        found = start_on_batches(
            model, source, engine=engine, needs=needs, callbacks=options.callbacks
        )
    if isinstance(found, FusedTraining):
        return found, replace(options, validation=_validation_beside_batches(given))
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


def _validation_beside_batches(given: Arguments) -> Validation | None:
    """Return what Keras will validate on."""
    if given.validation_data is None:
        return None
    size, steps = given.validation_batch_size, given.validation_steps
    if size is None and given.batch_size != "full":
        size = given.batch_size
    return Validation(given.validation_data, False, size, steps, given.validation_freq)


def _needs(options: FitOptions, jit_compile: bool | None) -> Needs:
    stops = any(isinstance(each, keras.callbacks.TerminateOnNaN) for each in options.callbacks)
    return Needs(stop_at_nan=stops, jit_compile=jit_compile)


def _only_keras_can(model: keras.Model, given: Arguments) -> str | None:
    """Return what keeps this from being planned at all, or None."""
    if keras.backend.backend() != "tensorflow":
        return f"Keras runs on {keras.backend.backend()}, and blocks of steps need TensorFlow"
    if gone := keras_private.missing():
        return gone
    if isinstance(given.callbacks, keras.callbacks.CallbackList):
        return "a CallbackList is in use already; give a list of callbacks"
    if makes_batches(given.x):
        return None
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
    size = min(DEFAULT_BATCH_SIZE, n) if given.batch_size is None else given.batch_size
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


def _cut_epoch(feed: Feed) -> str | None:
    """Say which epoch is the first that cannot have its `steps_per_epoch`, if one is."""
    for epoch in range(1, min(feed.epochs, feed.plan.steps_per_epoch) + 1):
        if feed.ends_early(epoch):
            taken, asked = feed.steps(epoch), feed.steps_per_epoch
            return f"epoch {epoch} meets the end of the data after {taken} of {asked} steps"
    return None


def _validation(given: Arguments, gathered: Gathered, batch_size: int) -> Validation | None:
    if gathered.validation is None and given.validation_data is None:
        return None
    size, steps = given.validation_batch_size or batch_size, given.validation_steps
    if gathered.validation is None:  # only Keras can read it
        data, asked = given.validation_data, given.validation_batch_size
        return Validation(data, False, asked, steps, given.validation_freq)
    held = first_batches(gathered.validation, size, steps)
    return Validation(held, True, size, steps, given.validation_freq)
