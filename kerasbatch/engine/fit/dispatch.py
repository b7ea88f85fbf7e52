"""Prepares the training of a `fit`: on arrays, on batches, or by Keras itself."""

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import keras
import numpy as np

from kerasbatch.engine import data_private, keras_private
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.fit.arrays import (
    FitArrays,
    first_batches,
    gather_arrays,
    gather_validation,
    non_array_kind,
    validates_on_arrays,
)
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays, FitOptions, Needs, Validation
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.choose import memory_obstacle, no_gain_reason
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.plain import KerasOwnTraining
from kerasbatch.engine.training.start import Training, refusal, start
from kerasbatch.planning import plan
from kerasbatch.steps import Plan
from kerasbatch.types import Engine

DEFAULT_BATCH_SIZE = 32
"""The default of Keras; all examples if they are fewer."""


def leave_to_keras(
    model: keras.Model,
    arguments: FitArguments,
    engine: Engine,
    obstacle: str | None,
    why: str = "as asked for",
) -> KerasOwnTraining:
    """Return a training by `model.fit` with the original arguments.

    Args:
        model: a compiled model.
        arguments: the arguments of `fit`.
        engine: the requested engine.
        obstacle: the reason against the fused engine, or None.
        why: the reason for Keras if there is no obstacle.

    Raises:
        EngineError: if `engine` is fused.
        SpecError: for an argument that Keras does not support.
    """
    if engine == "fused":
        raise refusal(str(obstacle))
    return KerasOwnTraining(model, arguments.for_keras(), obstacle, why)


def begin_on_arrays(
    model: keras.Model,
    arguments: FitArguments,
    engine: Engine,
    needs: Needs,
    seed: int | None,
    settings: EngineSettings,
    cuts: Callable[[Plan], Iterator[int]] | None = None,
) -> tuple[Training, FitOptions]:
    """Choose the engine for arrays and compile.

    Raises:
        ObstacleError: if only Keras supports the data or the arguments.
    """
    _check_arrays(arguments)
    keras_private.assert_compiled(model)
    gathered, options = gather_arrays(arguments), arguments.options()
    _check_values(arguments, gathered)
    stream = _example_stream(model, arguments, gathered.train, seed)
    size = None if arguments.batch_size is None else stream.plan.batch_size
    validation = _validation(arguments, gathered.validation, size)
    options = replace(options, validation=validation)
    training = start(
        model,
        stream,
        engine=engine,
        needs=needs,
        options=options,
        cuts=cuts(stream.plan) if cuts else None,
        settings=settings,
    )
    return training, options


def begin_on_batches(
    model: keras.Model,
    arguments: FitArguments,
    engine: Engine,
    needs: Needs,
    settings: EngineSettings,
) -> tuple[FusedTraining | KerasOwnTraining, FitOptions]:
    """Choose the engine for batches of a dataset, a generator or a PyDataset and compile.

    Raises:
        ObstacleError: if only Keras supports the other arguments.
    """
    keras_private.assert_compiled(model)
    arguments.for_keras()  # raises for values that Keras does not support, for every engine
    options = arguments.options()
    _check_batch_arguments(arguments)
    if arguments.batch_size is not None:
        message = "batch_size has no effect: the data come in batches already"
        warnings.warn(message, stacklevel=6)
    if engine == "auto" and data_private.is_dataset(arguments.x):
        why = no_gain_reason(arguments.x, arguments.steps_per_epoch, settings)
        if why is not None:
            return leave_to_keras(model, arguments, engine, None, why), options
    if engine == "keras":
        return leave_to_keras(model, arguments, engine, None), options
    if keras.backend.backend() != "tensorflow":
        raise ObstacleError("blocks of steps over batches need TensorFlow; give arrays")
    from kerasbatch.engine.training.start_on_batches import start_on_batches  # with TensorFlow

    adapter = data_private.adapter(
        arguments.x,
        steps=arguments.steps_per_epoch,
        shuffle=arguments.shuffle,  # Keras shuffles only a PyDataset, and warns for other batches
        class_weight=arguments.class_weight,
    )
    try:
        training = start_on_batches(
            model,
            adapter,
            epochs=arguments.epochs,
            epochs_left=max(0, arguments.epochs - arguments.initial_epoch),
            steps_per_epoch=arguments.steps_per_epoch,
            needs=needs,
            callbacks=options.callbacks,
            settings=settings,
        )
    except ObstacleError as obstacle:
        arguments = arguments.replaced(x=data_private.put_back(adapter, arguments.x))
        return leave_to_keras(model, arguments, engine, obstacle.reason), options
    validation = _validation_for_batches(arguments, settings)
    return training, replace(options, validation=validation)


def _check_arrays(arguments: FitArguments) -> None:
    """Raise ObstacleError for data that are not arrays."""
    if kind := non_array_kind(arguments.x, arguments.y, arguments.sample_weight):
        message = "is no array; blocks of steps need data that lie in memory as arrays"
        raise ObstacleError(f"{kind} {message}")
    inputs = keras.tree.flatten(arguments.x)
    if keras.tree.is_nested(arguments.x) and any(leaf is None for leaf in inputs):
        raise ObstacleError("an input is None, and blocks of steps need an array for each")


def _check_values(arguments: FitArguments, gathered: FitArrays) -> None:
    """Raise ObstacleError for data and arguments that only Keras supports."""
    n = _examples(gathered.train)
    if gathered.obstacle is not None:
        raise ObstacleError(gathered.obstacle)
    if isinstance(arguments.batch_size, int) and arguments.batch_size > n:
        size = f"batch_size is {arguments.batch_size:,}"
        raise ObstacleError(f"{size}, more than the {n:,} examples")
    if arguments.epochs == 0:
        raise ObstacleError("epochs is 0, so there is no training")
    if arguments.validation_steps == 0:
        raise ObstacleError("validation_steps is 0, so there is nothing to validate on")


def _check_batch_arguments(arguments: FitArguments) -> None:
    """Raise ObstacleError for arguments that only Keras supports together with batches."""
    if arguments.y is not None or arguments.sample_weight is not None:
        raise ObstacleError("labels and weights come with the batches, and not beside them")
    if arguments.validation_split:
        raise ObstacleError("validation_split needs arrays")
    if arguments.epochs <= arguments.initial_epoch or arguments.validation_steps == 0:
        raise ObstacleError("there is nothing to do")
    is_py_dataset = isinstance(arguments.x, keras.utils.PyDataset)
    if is_py_dataset and arguments.steps_per_epoch is not None:
        raise ObstacleError("steps_per_epoch cuts the epochs of a PyDataset")


def _examples(arrays: Arrays) -> int:
    return len(keras.tree.flatten(arrays)[0])


def _example_stream(
    model: keras.Model, arguments: FitArguments, train: Arrays, seed: int | None
) -> ExampleStream:
    """Return the planned passes over the data; an epoch is a pass or `steps_per_epoch` steps."""
    n, epochs, per_epoch = _examples(train), arguments.epochs, arguments.steps_per_epoch
    size = arguments.batch_size
    one_pass = plan(
        n, batch_size=_default_batch_size(n, per_epoch) if size is None else size, epochs=1
    )
    stream = ExampleStream(
        train,
        one_pass.with_budget("epochs", epochs),
        _order_seed(model) if seed is None else int(seed),
        "shuffle" if arguments.shuffle else "sequential",
    )
    if per_epoch is None or per_epoch == one_pass.steps_per_epoch:
        return stream
    stream = replace(stream, steps_per_epoch=per_epoch, requested_epochs=epochs)
    passes = stream.start(epochs)[0]
    return replace(stream, plan=one_pass.with_budget("epochs", passes))


def _order_seed(model: keras.Model) -> int:
    """Return a seed that follows from keras.utils.set_random_seed, without drawing a number.

    Keras draws nothing from NumPy's generator either, so a script that goes on to use it gets the
    same numbers. A model that has taken steps gets another seed, so that a second `fit` has another
    order.
    """
    state = copy.deepcopy(np.random.get_bit_generator())  # type: ignore[attr-defined]  # no stub
    generator = np.random.RandomState(state)
    number = int(generator.randint(2**32, dtype=np.uint64))
    taken = 0 if model.optimizer is None else keras_private.batches_counted(model.optimizer)
    if not taken:
        return number
    return int(np.random.SeedSequence([number, taken]).generate_state(1)[0])


def _default_batch_size(n: int, steps: int | None) -> int:
    """Return the batch size of Keras if none is set: one that yields `steps` steps, or 32."""
    return -(-n // steps) if steps else min(DEFAULT_BATCH_SIZE, n)


def short_epoch_warning(stream: ExampleStream) -> str | None:
    """Return a warning about the first epoch with fewer than `steps_per_epoch` steps, or None."""
    for epoch in range(1, min(stream.epochs, stream.plan.steps_per_epoch) + 1):
        if stream.ends_early(epoch):
            taken, expected = stream.steps(epoch), stream.steps_per_epoch
            return f"epoch {epoch} meets the end of the data after {taken} of {expected} steps"
    return None


def _validation(
    arguments: FitArguments, held_out: Arrays | None, batch_size: int | None = None
) -> Validation | None:
    if held_out is None:
        return arguments.keras_validation()
    steps = arguments.validation_steps
    default = _default_batch_size(_examples(held_out), steps)
    size = arguments.validation_batch_size or batch_size or default
    data = first_batches(held_out, size, steps)
    return Validation(data, True, size, steps, arguments.validation_freq)


def _validation_for_batches(arguments: FitArguments, settings: EngineSettings) -> Validation | None:
    """Return the validation for training data that are batches."""
    if validates_on_arrays(arguments):
        held_out, obstacle = gather_validation(arguments)
        if not obstacle and not memory_obstacle([held_out], settings):
            return _validation(arguments, held_out)
    return arguments.keras_validation()
