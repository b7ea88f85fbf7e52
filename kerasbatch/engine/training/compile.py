"""Compiles a training: tries each source with XLA, then without, and uses the first success."""

import contextlib
import weakref
from collections.abc import Iterator

import keras

from kerasbatch.engine.backend import Program, ProgramSettings, backend
from kerasbatch.engine.model_state import short_error
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import NO_OPTIONS, Arrays, FitOptions, Needs
from kerasbatch.engine.program.cache import ProgramCache
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.source import StepSource
from kerasbatch.engine.training.choose import BLOCKS, Choice
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.xla import NotLoweredError, UncheckedError, XlaMode

_PROGRAMS = ProgramCache[Program]()
_WITHOUT_XLA: "weakref.WeakKeyDictionary[keras.Model, str]" = weakref.WeakKeyDictionary()
"""The reasons of models that XLA could not compile; XLA is not tried again."""
_STEP_BY_STEP: "weakref.WeakKeyDictionary[keras.Model, str]" = weakref.WeakKeyDictionary()
"""The same for models with a convolution that cannot be lowered."""


class _NoRoomError(ObstacleError):
    """The data of a source do not fit into the memory of the device."""


def compile_training(
    model: keras.Model,
    sources: Iterator[tuple[str, StepSource]],
    choice: Choice,
    needs: Needs,
    settings: EngineSettings,
    options: FitOptions = NO_OPTIONS,
    cuts: Iterator[int] | None = None,
    evaluated: Arrays | None = None,
) -> FusedTraining:
    """Return a compiled training.

    Args:
        model: a built, compiled model.
        sources: sources of the same steps, each with a text for the reason; the next one is tried
            if the device is out of memory.
        choice: the fused engine, with XLA or without.
        needs: the required abilities of the program.
        settings: the thresholds of the engine.
        options: the options of `fit`, as far as they are known.
        cuts: the steps after which callbacks must be called, ascending.
        evaluated: the arrays of evaluations, to compile for them.

    Raises:
        ObstacleError: if no program can be compiled.
    """
    obstacle = ObstacleError("")
    for text, source in sources:
        try:
            return _compile_source(
                model, source, text, choice, needs, settings, options, cuts, evaluated
            )
        except _NoRoomError as error:
            # Without a traceback, whose frames would keep the data of the source in memory.
            obstacle = _NoRoomError(str(error))
    raise obstacle


def _compile_source(
    model: keras.Model,
    source: StepSource,
    text: str,
    choice: Choice,
    needs: Needs,
    settings: EngineSettings,
    options: FitOptions,
    cuts: Iterator[int] | None,
    evaluated: Arrays | None,
) -> FusedTraining:
    """Compile for one source: with XLA if it was chosen, and without it as the fallback."""

    def attempt(mode: XlaMode, why: str) -> FusedTraining:
        with _obstacles(model):
            training = FusedTraining(
                model,
                source,
                _program(model, source, mode, needs),
                why=f"{why}{text}",
                options=options,
                cuts=cuts,
                xla_after=choice.xla_after if mode != "none" else 0,
                settings=settings,
            )
            training.compile(evaluated)
            return training

    if choice.mode == "none":
        return attempt("none", choice.why)

    def attempt_xla() -> FusedTraining:
        if choice.mode != "lowered_loop" or model not in _STEP_BY_STEP:
            try:
                return attempt(choice.mode, choice.why)
            except NotLoweredError as native:
                _STEP_BY_STEP[model] = f"step by step, because of {native.reason}"
        return attempt("step", f"{BLOCKS}, compiled with XLA, {_STEP_BY_STEP[model]}")

    if model not in _WITHOUT_XLA:
        try:
            return attempt_xla()
        except _NoRoomError:
            raise
        except UncheckedError as unchecked:
            _WITHOUT_XLA[model] = unchecked.reason
        except ObstacleError as obstacle:
            _WITHOUT_XLA[model] = _reason_without_xla(obstacle)
    return attempt("none", f"{BLOCKS}, without XLA, which {_WITHOUT_XLA[model]}")


def _reason_without_xla(obstacle: ObstacleError) -> str:
    """Return the reason to compile without XLA.

    Raises:
        ObstacleError: if there is nothing without XLA.
    """
    if backend().always_compiles:
        raise obstacle
    return f"cannot compile this model: {obstacle.reason}"


@contextlib.contextmanager
def _obstacles(model: keras.Model) -> Iterator[None]:
    """Raise an ObstacleError for every error of TensorFlow; forget the program."""
    try:
        yield
    except (UncheckedError, NotLoweredError):
        raise  # other programs remain valid
    except Exception as error:  # plain Keras may train what the backend cannot compile
        _PROGRAMS.forget(model)
        if backend().is_out_of_memory(error):
            raise _NoRoomError("the data do not fit into the memory of the device") from error
        message = f"its step cannot be compiled ({short_error(error)})"
        raise ObstacleError(message) from error


def _program(model: keras.Model, source: StepSource, mode: XlaMode, needs: Needs) -> Program:
    """Return the program of the model, from the cache if it is still valid."""
    scale = source.stream.scale if source.stream else None
    flags = backend().traced_flags(model, source.batch_size)
    settings = ProgramSettings(mode, scale, needs, source.as_tuples, flags)
    return _PROGRAMS.get(model, settings, lambda: backend().program(model, settings))
