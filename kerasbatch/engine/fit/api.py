"""`kerasbatch.fit`: a drop-in for `model.fit` that runs many steps in one compiled program."""

import inspect
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import keras

from kerasbatch.engine import private_names
from kerasbatch.engine.backend import SUPPORTED
from kerasbatch.engine.environment import LIMITS
from kerasbatch.engine.fit.arguments import KERAS_SIGNATURE, FitArguments, bind_arguments
from kerasbatch.engine.fit.arrays import makes_batches
from kerasbatch.engine.fit.dispatch import (
    begin_on_arrays,
    begin_on_batches,
    leave_to_keras,
    short_epoch_warning,
)
from kerasbatch.engine.model_state import keras_compiled
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import FitOptions, Needs
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.plain import KerasOwnTraining
from kerasbatch.engine.training.start import Training
from kerasbatch.errors import EngineError, SpecError
from kerasbatch.steps import Plan
from kerasbatch.types import Engine


@dataclass(frozen=True)
class Report:
    """The engine and data path of a `kerasbatch.fit`; stored as `history.kerasbatch`.

    Args:
        engine: `fused` or `keras`.
        data: `resident` on the device, `streamed` to it in our order, `stacked` batches of a
            dataset in its own order, or `keras`: read by plain `fit`.
        why: the reason for this engine, with or without XLA.
        seed: the seed of the order; None if Keras chose the order.
        compile_seconds: the duration of the compilation; None if Keras compiled at the first step.
    """

    engine: str
    data: str
    why: str
    seed: int | None
    compile_seconds: float | None


def fit(
    model: keras.Model,
    *args: Any,
    seed: int | None = None,
    engine: Engine = "auto",
    jit_compile: bool | None = None,
    settings: EngineSettings = DEFAULT_SETTINGS,
    **kwargs: Any,
) -> keras.callbacks.History:
    """Train a compiled Keras model as `model.fit` does, in blocks of many steps.

    Every argument of `model.fit` works, by position or by name, for any kind of model and data.
    The arithmetic is Keras' own `train_step`, or a custom one: the same batches in the same order
    give the weights of `model.fit`, up to the rounding of float32. XLA may draw other masks than
    TensorFlow for random layers such as Dropout. If training in blocks is impossible, plain
    `model.fit` trains, with a warning that gives the reason.

    Four arguments of `model.fit` have additional rules:
        batch_size: `full` means all n examples; None means 32, or n if that is less.
        callbacks: batch hooks are called for the last step of each block. A callback that must act
            after every batch leads to plain `model.fit`.
        shuffle: for arrays, True means a new order of `example_order` in every epoch.
        steps_per_epoch: an epoch that reaches the end of the arrays ends there, with a warning.

    Args:
        model: a compiled model.
        *args: the positional arguments of `model.fit`.
        seed: the seed of the order; None follows the state of NumPy's global generator, which
            `keras.utils.set_random_seed` sets. `history.kerasbatch.seed` holds it.
        engine: `auto`, `fused` (an error if it cannot work) or `keras` (plain `model.fit`).
        jit_compile: True or False to compile with or without XLA; None chooses, or with
            `engine="keras"` leaves it to `compile`.
        settings: the thresholds of the engine, for measurements and tests.
        **kwargs: the named arguments of `model.fit`.

    Returns:
        Keras' History, with a Report as `history.kerasbatch`.

    Raises:
        SpecError: if the data or a number are wrong; all faults at once.
        EngineError: if `engine` is fused and cannot work, or if an environment variable would cut
            the training short.
    """
    arguments = bind_arguments(model, args, kwargs)
    return train(
        model, arguments, seed=seed, engine=engine, jit_compile=jit_compile, settings=settings
    )


def train(
    model: keras.Model,
    arguments: FitArguments,
    *,
    seed: int | None = None,
    engine: Engine = "auto",
    jit_compile: bool | None = None,
    settings: EngineSettings = DEFAULT_SETTINGS,
) -> keras.callbacks.History:
    """Train with bound arguments; they, the result and the errors are those of `fit`.

    Warnings name the line that called the caller of this function.
    """
    started = start(
        model, arguments, seed=seed, engine=engine, jit_compile=jit_compile, settings=settings
    )
    return started.run(started.options)


@dataclass(frozen=True)
class StartedFit:
    """A `fit` that is compiled, and has taken no step.

    Args:
        model: its model.
        training: its engine.
        options: the options of its arguments.
        jit_compile: whether plain `fit` compiles with XLA; None leaves it to the model.
    """

    model: keras.Model
    training: Training | KerasOwnTraining
    options: FitOptions
    jit_compile: bool | None

    def run(self, options: FitOptions) -> keras.callbacks.History:
        """Train.

        Args:
            options: the options of its arguments, with other callbacks or another beginning.
        """
        training = self.training
        with keras_compiled(self.model, self.jit_compile):
            history = training.fit(options)
        history.kerasbatch = Report(
            training.name,
            training.data,
            training.why,
            training.stream.seed if training.stream else None,
            training.compile_seconds,
        )
        return history


def start(
    model: keras.Model,
    arguments: FitArguments,
    *,
    seed: int | None = None,
    engine: Engine = "auto",
    jit_compile: bool | None = None,
    settings: EngineSettings = DEFAULT_SETTINGS,
    cuts: Callable[[Plan], Iterator[int]] | None = None,
) -> StartedFit:
    """Choose the engine and compile; arguments and errors as in `fit`.

    Warnings name the line that called the caller of the caller of this function.

    Args:
        model: a compiled model.
        arguments: the arguments of `fit`.
        seed: as in `fit`.
        engine: as in `fit`.
        jit_compile: as in `fit`.
        settings: as in `fit`.
        cuts: returns for the plan the steps after which callbacks must be called, ascending.
    """
    _check_environment()
    _check_choices(engine, jit_compile, seed)
    training, options = _begin(model, arguments, engine, jit_compile, seed, settings, cuts)
    if training.obstacle and engine == "auto":
        warnings.warn(f"training by plain model.fit, because {training.obstacle}", stacklevel=4)
    stream = training.stream if isinstance(training, FusedTraining) else None
    if stream and (warning := short_epoch_warning(stream)):
        warnings.warn(warning, stacklevel=4)
    return StartedFit(model, training, options, jit_compile if engine == "keras" else None)


def _signature() -> inspect.Signature:
    """Return the signature for help() and notebooks: the arguments of Keras, then ours."""
    ours = inspect.signature(fit).parameters.values()
    keyword_only = [parameter for parameter in ours if parameter.kind is parameter.KEYWORD_ONLY]
    model, *others = KERAS_SIGNATURE.parameters.values()
    return inspect.Signature([model.replace(name="model"), *others, *keyword_only])


fit.__signature__ = _signature()  # type: ignore[attr-defined]  # functions accept attributes


def _check_environment() -> None:
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
    arguments: FitArguments,
    engine: Engine,
    jit_compile: bool | None,
    seed: int | None,
    settings: EngineSettings,
    cuts: Callable[[Plan], Iterator[int]] | None,
) -> tuple[Training | KerasOwnTraining, FitOptions]:
    """Choose the engine and compile."""
    options = arguments.options()
    stops = any(isinstance(item, keras.callbacks.TerminateOnNaN) for item in options.callbacks)
    needs = Needs(stop_at_nan=stops, jit_compile=jit_compile)
    try:
        _check_backend(arguments)
        if makes_batches(arguments.x):
            return begin_on_batches(model, arguments, engine, needs, settings)
        return begin_on_arrays(model, arguments, engine, needs, seed, settings, cuts)
    except ObstacleError as obstacle:
        return leave_to_keras(model, arguments, engine, obstacle.reason), options


def _check_backend(arguments: FitArguments) -> None:
    """Raise ObstacleError if training in blocks is impossible for any data."""
    if (name := keras.backend.backend()) not in SUPPORTED:
        names = " or ".join(SUPPORTED)
        raise ObstacleError(f"Keras runs on {name}, and blocks of steps need {names}")
    if missing := private_names.missing():
        raise ObstacleError(missing)
    if isinstance(arguments.callbacks, keras.callbacks.CallbackList):
        raise ObstacleError("a CallbackList is in use already; give a list of callbacks")
