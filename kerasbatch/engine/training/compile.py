"""Compiles the steps of a model, or says what keeps them from being compiled."""

import weakref
from collections.abc import Iterator

import keras
import tensorflow as tf

from kerasbatch.engine.model_state import short_error
from kerasbatch.engine.options import Arrays, Needs
from kerasbatch.engine.program_cache import ProgramCache
from kerasbatch.engine.sources.source import StepSource
from kerasbatch.engine.training.choose import Choice
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.program import Program

NO_ROOM = (MemoryError, tf.errors.ResourceExhaustedError)
"""What is raised where the device has no room."""
_PROGRAMS = ProgramCache[Program]()
_WITHOUT_XLA: "weakref.WeakSet[keras.Model]" = weakref.WeakSet()
"""Models that XLA could not compile; it is not tried again."""


def compile_training(
    model: keras.Model,
    sources: Iterator[tuple[str, StepSource]],
    chosen: Choice,
    needs: Needs,
    cuts: Iterator[int] | None = None,
    evaluated: Arrays | None = None,
) -> FusedTraining | str:
    """Return a training that is compiled, or what keeps every program from being compiled.

    Args:
        model: a built, compiled model.
        sources: of the same steps, with what is to be said of each; the next one is tried where
            the device has no room for one.
        chosen: the fused engine, with XLA or without.
        needs: what the program must be able to do.
        cuts: steps of the run at which callbacks must be heard.
        evaluated: what the model will be evaluated on, to compile for it.
    """
    obstacle = ""
    for told, source in sources:
        for jit, reason in _attempts(model, chosen):
            try:
                training = FusedTraining(
                    model,
                    source,
                    _program(model, source, jit, needs),
                    why=f"{reason}{told}",
                    cuts=cuts,
                    xla_after=chosen.xla_after if jit else 0,
                )
                training.compile(evaluated)
                return training
            except Exception as error:  # whatever TensorFlow cannot compile, plain Keras may train
                obstacle, lacks_room = _obstacle_of(error), _lacks_room(error)
                _PROGRAMS.forget(model)
                if lacks_room:
                    break
                if jit:
                    _WITHOUT_XLA.add(model)
        else:
            return obstacle
    return obstacle


def _attempts(model: keras.Model, chosen: Choice) -> Iterator[tuple[bool, str]]:
    if not chosen.jit_compile or model not in _WITHOUT_XLA:
        yield chosen.jit_compile, chosen.why
    if chosen.jit_compile:
        yield False, "blocks of steps in one program, without XLA, which cannot compile this model"


def _lacks_room(error: Exception) -> bool:
    return isinstance(error, NO_ROOM)


def _obstacle_of(error: Exception) -> str:
    """Say what an error, raised while compiling, means for the fused engine."""
    if _lacks_room(error):
        return "the data do not fit into the memory of the device"
    return f"its step cannot be compiled ({short_error(error)})"


def _program(model: keras.Model, source: StepSource, jit: bool, needs: Needs) -> Program:
    """Return the model's program, that of an earlier training where it is still right."""
    scale = source.feed.scale if source.feed else None
    return _PROGRAMS.get(
        model,
        (jit, scale, needs, source.as_tuples),
        lambda: Program(
            model, jit_compile=jit, scale=scale, needs=needs, as_tuples=source.as_tuples
        ),
    )
