"""`kerasbatch.fit`: a drop-in for `model.fit`, many steps in one compiled program."""

import os
import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import keras
import numpy as np

from kerasbatch.engine import arguments
from kerasbatch.engine import start as engine_module
from kerasbatch.engine.environment import LIMITS
from kerasbatch.engine.feed import Arrays, Feed
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.plain import fit_stream
from kerasbatch.errors import EngineError, SpecError
from kerasbatch.shared_types import Engine, Sampling


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
    validation_batch_size: int | None = None,
    validation_steps: int | None = None,
    validation_freq: Any = 1,
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
        validation_batch_size: as in Keras; the fused engine needs it for `validation_steps` only.
        validation_steps: as in Keras.
        validation_freq: as in Keras.
        shuffle: True for `example_order`'s fresh order in every epoch, False for that of the data.
        class_weight: as in Keras.
        sample_weight: as in Keras.
        initial_epoch: as in Keras.
        steps_per_epoch: an epoch has so many steps, and goes on in the data where the last one
            ended; a new pass begins without a smaller batch before it.
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
    model._assert_compile_called("fit")
    _check_choices(engine, jit_compile)
    numbers = arguments.whole_numbers(
        {
            "batch_size": None if batch_size == "full" else batch_size,
            "epochs": epochs,
            "initial_epoch": initial_epoch,
            "steps_per_epoch": steps_per_epoch,
            "validation_batch_size": validation_batch_size,
            "validation_steps": validation_steps,
            "seed": seed,
        }
    )
    given = _Given(x, y, sample_weight, class_weight, validation_split, validation_data)
    own = {"verbose": verbose, "callbacks": callbacks, "validation_freq": validation_freq}
    if obstacle := _cannot_take(model, given, callbacks):
        _say(engine, obstacle)
        del numbers["seed"]
        history = model.fit(**vars(given), **numbers, **own, shuffle=shuffle)
        return _with_report(history, "keras", f"plain model.fit, because {obstacle}", None, None)
    if batch_size == "full":
        numbers["batch_size"] = "full"
    sampling: Sampling = "shuffle" if shuffle else "sequential"
    prepared = _prepare(given, numbers, sampling)
    own["initial_epoch"] = numbers["initial_epoch"]
    return _train(model, prepared, engine, jit_compile, own)


@dataclass(frozen=True)
class _Given:
    """The data that `fit` was given."""

    x: Any
    y: Any
    sample_weight: Any
    class_weight: dict[int, float] | None
    validation_split: float
    validation_data: Any


@dataclass(frozen=True)
class _Prepared:
    """What to train on, and what to validate on: arrays, or what only Keras can read."""

    feed: Feed
    validation: Arrays | None
    keras_validation: dict[str, Any]


def _prepare(given: _Given, numbers: dict[str, Any], sampling: Sampling) -> _Prepared:
    """Bring data and counts together."""
    foreign = arguments.not_arrays(given.validation_data) is not None
    known = replace(given, validation_data=None, validation_split=0.0) if foreign else given
    data = arguments.gather(**vars(known))
    seed = numbers["seed"]
    feed = arguments.feed(
        data.train,
        batch_size=numbers["batch_size"],
        epochs=numbers["epochs"],
        steps_per_epoch=numbers["steps_per_epoch"],
        sampling=sampling,
        # NumPy's global generator is one of those that keras.utils.set_random_seed sets.
        seed=int(np.random.randint(2**32, dtype=np.uint64)) if seed is None else seed,
    )
    how = {key: numbers[key] for key in ("validation_steps", "validation_batch_size")}
    if foreign:
        return _Prepared(feed, None, {"validation_data": given.validation_data, **how})
    if data.validation is None:
        return _Prepared(feed, None, {})
    size = how["validation_batch_size"] or feed.plan.batch_size
    held = arguments.first_batches(data.validation, size, how["validation_steps"])
    return _Prepared(feed, held, {"validation_data": held, "validation_batch_size": size})


def _train(
    model: keras.Model,
    prepared: _Prepared,
    engine: Engine,
    jit_compile: bool | None,
    own: dict[str, Any],
) -> keras.callbacks.History:
    feed, callbacks = prepared.feed, keras.tree.flatten(own["callbacks"] or [])
    stop_at_nan = any(isinstance(each, keras.callbacks.TerminateOnNaN) for each in callbacks)
    training, seconds = engine_module.start(
        model,
        feed,
        engine=engine,
        options=engine_module.Options(stop_at_nan=stop_at_nan, jit_compile=jit_compile),
        callbacks=callbacks,
        validation=prepared.validation,
    )
    if isinstance(training, FusedTraining):
        options = {key: value for key, value in own.items() if key != "callbacks"}
        if prepared.validation is not None:
            size = prepared.keras_validation["validation_batch_size"]
            options["evaluation"] = training.measurer(prepared.validation, size)
        else:
            options |= prepared.keras_validation
        history = training.fit(callbacks, **options)
        return _with_report(history, "fused", training.why, feed.seed, seconds)
    if engine == "auto":
        _say(engine, training.why.removeprefix("plain model.fit, because "), depth=4)
    history = fit_stream(model, feed, **own, **prepared.keras_validation)
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


def _check_choices(engine: Any, jit_compile: Any) -> None:
    if engine not in get_args(Engine):
        names = ", ".join(get_args(Engine))
        raise SpecError.at(("engine",), f"found {engine!r}; must be one of {names}")
    if jit_compile not in (None, True, False):
        raise SpecError.at(("jit_compile",), f"found {jit_compile!r}; must be True, False or None")


def _cannot_take(model: keras.Model, given: _Given, callbacks: Any) -> str | None:
    """Return what keeps this from being planned at all, or None."""
    if keras.backend.backend() != "tensorflow":
        return f"Keras runs on {keras.backend.backend()}, and blocks of steps need TensorFlow"
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return "a CallbackList is in use already; give a list of callbacks"
    if kind := arguments.not_arrays(given.x, given.y, given.sample_weight):
        return f"{kind} is no array; blocks of steps need data that lie in memory as arrays"
    return None


def _say(engine: Engine, obstacle: str, *, depth: int = 3) -> None:
    """Warn whoever called `fit`, or refuse; `depth` counts the calls between."""
    if engine == "fused":
        message = f"the fused engine cannot work here: {obstacle}; use engine auto or keras"
        raise EngineError(message)
    if engine == "auto":
        warnings.warn(f"training by plain model.fit, because {obstacle}", stacklevel=depth)
