"""`kerasbatch.fit`: a drop-in for `model.fit`, many steps in one compiled program."""

import os
import warnings
from dataclasses import dataclass
from typing import Any, get_args

import keras

from kerasbatch.engine import keras_private
from kerasbatch.engine.environment import LIMITS
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.fit.arrays import makes_batches, non_array_kind
from kerasbatch.engine.fit.dispatch import (
    begin_on_arrays,
    begin_on_batches,
    cut_epoch,
    left_to_keras,
)
from kerasbatch.engine.options import FitOptions, Needs
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.plain import KerasOwnTraining
from kerasbatch.engine.training.start import Training
from kerasbatch.errors import EngineError, SpecError
from kerasbatch.types import BatchSize, Engine


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
    given = FitArguments(
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
        validates_on_arrays=validation_data is not None and not non_array_kind(validation_data),
    ).checked()
    training, options = _begin(model, given, engine, jit_compile, seed)
    if training.obstacle and engine == "auto":
        because = f"training by plain model.fit, because {training.obstacle}"
        warnings.warn(because, stacklevel=2)
    if isinstance(training, FusedTraining) and training.feed and (cut := cut_epoch(training.feed)):
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
    given: FitArguments,
    engine: Engine,
    jit_compile: bool | None,
    seed: int | None,
) -> tuple[Training | KerasOwnTraining, FitOptions]:
    """Choose who trains, and compile."""
    options = given.options()
    if obstacle := _backend_obstacle(given):
        return left_to_keras(model, given, obstacle, engine), options
    stops = any(isinstance(each, keras.callbacks.TerminateOnNaN) for each in options.callbacks)
    needs = Needs(stop_at_nan=stops, jit_compile=jit_compile)
    if makes_batches(given.x):
        return begin_on_batches(model, given, options, engine, needs)
    return begin_on_arrays(model, given, engine, needs, seed)


def _backend_obstacle(given: FitArguments) -> str | None:
    """Return what keeps this from being planned at all, whatever the data are; or None."""
    if keras.backend.backend() != "tensorflow":
        return f"Keras runs on {keras.backend.backend()}, and blocks of steps need TensorFlow"
    if gone := keras_private.missing():
        return gone
    if isinstance(given.callbacks, keras.callbacks.CallbackList):
        return "a CallbackList is in use already; give a list of callbacks"
    return None
