"""`kerasbatch.fit`: a drop-in for `model.fit`, many steps in one compiled program."""

import os
import secrets
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import keras

from kerasbatch import engine as engine_module
from kerasbatch import inputs
from kerasbatch.errors import EngineError
from kerasbatch.feed import Feed
from kerasbatch.fused import FusedTraining
from kerasbatch.inputs import Data
from kerasbatch.plain import fit_stream
from kerasbatch.spec import Engine

LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
"""Variables by which Keras cuts a training short, with no more than a warning."""


@dataclass(frozen=True)
class Report:
    """How `kerasbatch.fit` trained; it stands in the history as `history.kerasbatch`.

    Args:
        engine: `fused` or `keras`.
        why: why this engine, and whether with XLA.
        seed: the seed of the order; None where Keras kept its own order.
        compile_seconds: the seconds that compiling took; None where Keras did it in passing.
    """

    engine: str
    why: str
    seed: int | None
    compile_seconds: float | None


def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int | Literal["full"] | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    validation_freq: int = 1,
    shuffle: bool = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
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
        x: arrays of shape (n, ...).
        y: arrays of shape (n, ...).
        batch_size: examples of one step, `full` for n; 32 if None, as in Keras.
        epochs: the epoch to end with, as in Keras.
        verbose: as in Keras.
        callbacks: as in Keras. Those for batches hear of the last step of each block; where one
            has something to do after every batch, plain `model.fit` trains.
        validation_split: as in Keras.
        validation_data: as in Keras.
        validation_freq: as in Keras.
        shuffle: True for `example_order`'s fresh order in every epoch, False for that of the data.
        class_weight: as in Keras.
        sample_weight: as in Keras.
        initial_epoch: as in Keras.
        steps_per_epoch: an epoch ends after so many batches of its order.
        seed: the seed of the order; None draws one, which `history.kerasbatch.seed` tells.
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
    as_in_keras = {
        "verbose": verbose,
        "callbacks": callbacks,
        "initial_epoch": initial_epoch,
        "validation_freq": validation_freq,
    }
    if obstacle := _cannot_take(model, x, y, sample_weight, callbacks):
        _say(engine, obstacle)
        given = {"x": x, "y": y, "sample_weight": sample_weight, "class_weight": class_weight}
        history = model.fit(
            **given,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            steps_per_epoch=steps_per_epoch,
            validation_data=validation_data,
            validation_split=validation_split,
            **as_in_keras,
        )
        return _with_report(history, "keras", f"plain model.fit, because {obstacle}", None, None)
    foreign_validation = inputs.not_arrays(validation_data) is not None
    data = inputs.gather(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_split=validation_split,
        validation_data=None if foreign_validation else validation_data,
    )
    feed = inputs.feed(
        data.train,
        batch_size=batch_size,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        sampling="shuffle" if shuffle else "sequential",
        seed=secrets.randbelow(2**32) if seed is None else seed,
    )
    if foreign_validation:
        as_in_keras["validation_data"] = validation_data
    return _fit(model, feed, data, engine, jit_compile, as_in_keras)


def _fit(
    model: keras.Model,
    feed: Feed,
    data: Data,
    engine: Engine,
    jit_compile: bool | None,
    as_in_keras: dict[str, Any],
) -> keras.callbacks.History:
    callbacks = keras.tree.flatten(as_in_keras["callbacks"] or [])
    stop_at_nan = any(isinstance(each, keras.callbacks.TerminateOnNaN) for each in callbacks)
    training, seconds = engine_module.start(
        model,
        feed,
        engine=engine,
        options=engine_module.Options(stop_at_nan=stop_at_nan, jit_compile=jit_compile),
        callbacks=callbacks,
    )
    if isinstance(training, FusedTraining):
        options = {key: value for key, value in as_in_keras.items() if key != "callbacks"}
        if data.validation is not None:
            options["evaluation"] = training.measurer(data.validation)
        history = training.fit(callbacks, **options)
        return _with_report(history, "fused", training.why, feed.seed, seconds)
    if engine != "keras":
        _say(engine, training.why.removeprefix("plain model.fit, because "))
    if data.validation is not None:
        as_in_keras["validation_data"] = data.validation
        as_in_keras["validation_batch_size"] = feed.plan.batch_size
    history = fit_stream(model, feed, **as_in_keras)
    return _with_report(history, "keras", training.why, feed.seed, None)


def _with_report(
    history: keras.callbacks.History,
    engine: str,
    why: str,
    seed: int | None,
    seconds: float | None,
) -> keras.callbacks.History:
    history.kerasbatch = Report(engine, why, seed, seconds)
    return history


def _refuse_limits() -> None:
    for name in LIMITS:
        if name in os.environ:
            message = f"{name}={os.environ[name]} would cut the training short; unset it"
            raise EngineError(f"{message}, and start Python again, since Keras has read it")


def _cannot_take(model: keras.Model, x: Any, y: Any, weights: Any, callbacks: Any) -> str | None:
    """Return what keeps this from being planned at all, or None."""
    if keras.backend.backend() != "tensorflow":
        return f"Keras runs on {keras.backend.backend()}, and blocks of steps need TensorFlow"
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return "a CallbackList is in use already; give a list of callbacks"
    if kind := inputs.not_arrays(x, y, weights):
        return f"{kind} is no array; blocks of steps need data that lie in memory"
    return None


def _say(engine: Engine, obstacle: str) -> None:
    if engine == "fused":
        raise EngineError(f"the fused engine cannot work here: {obstacle}")
    warnings.warn(f"trained by plain model.fit, because {obstacle}", stacklevel=4)
