"""Begins trainings: the fused engine where it can work, plain `model.fit` elsewhere.

Whatever engine takes them, the batches and their order are the same.
"""

import re
import textwrap
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import choice, keras_private
from kerasbatch.engine.device import to_device
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.options import NO_NEEDS, Arrays, Needs
from kerasbatch.engine.plain import PlainTraining
from kerasbatch.engine.program import Program
from kerasbatch.engine.program_cache import ProgramCache
from kerasbatch.engine.source import Resident
from kerasbatch.engine.variables import build_optimizer
from kerasbatch.errors import EngineError
from kerasbatch.shared_types import Engine

Training = FusedTraining | PlainTraining
_PROGRAMS = ProgramCache[Program]()
_WITHOUT_XLA: "weakref.WeakSet[keras.Model]" = weakref.WeakSet()
"""Models that XLA could not compile; it is not tried again."""


def start(
    model: keras.Model,
    feed: Feed,
    *,
    engine: Engine = "auto",
    needs: Needs = NO_NEEDS,
    cuts: Iterator[int] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    evaluated: Arrays | None = None,
    validation: Arrays | None = None,
) -> Training:
    """Choose an engine and compile; what cannot be compiled is trained by plain `model.fit`.

    Args:
        model: a compiled model.
        feed: its examples and their order.
        engine: `auto`, `fused` or `keras`.
        needs: what the program must be able to do.
        cuts: steps of the run at which callbacks must be heard.
        callbacks: the callbacks that will be used.
        evaluated: what the model will be evaluated on, to compile for it.
        validation: what it will be evaluated on where that need not be compiled now.

    Raises:
        EngineError: if `engine` is fused and it cannot work.
    """
    held = [arrays for arrays in (evaluated, validation) if arrays is not None]
    chosen = choice.choose(model, feed, engine, callbacks, needs.jit_compile, held)
    if chosen.fused:
        for jit, reason in _attempts(model, chosen):
            try:
                training = _fused(model, feed, jit, reason, needs, cuts)
                training.compile(evaluated)
                return training
            except Exception as error:  # whatever TensorFlow cannot compile, plain Keras may train
                chosen = choice.plain(model, _obstacle(error))
                _PROGRAMS.forget(model)
                if jit:
                    _WITHOUT_XLA.add(model)
    if engine == "fused":
        raise refusal(str(chosen.obstacle))
    plain = PlainTraining(model, feed, why=chosen.why, obstacle=chosen.obstacle, needs=needs)
    if evaluated is not None:
        plain.compile(evaluated)
    return plain


def refusal(obstacle: str) -> EngineError:
    """Return the error of a fused engine that was asked for and cannot work."""
    return EngineError(f"the fused engine cannot work here: {obstacle}; use engine auto or keras")


def _attempts(model: keras.Model, chosen: choice.Choice) -> Iterator[tuple[bool, str]]:
    if not chosen.jit_compile or model not in _WITHOUT_XLA:
        yield chosen.jit_compile, chosen.why
    if chosen.jit_compile:
        yield False, "blocks of steps in one program, without XLA, which cannot compile this model"


def _obstacle(error: Exception) -> str:
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return "the data do not fit into the memory of the device"
    built = not isinstance(error, NotBuiltError)
    cause = error if built else error.args[0]
    text = textwrap.shorten(re.sub(r"\x1b\[[0-9;]*m", "", str(cause)), 200, placeholder=" ...")
    told = f"({type(cause).__name__}: {text})"
    return f"its step cannot be compiled {told}" if built else f"Keras cannot build it {told}"


def _fused(
    model: keras.Model,
    feed: Feed,
    jit: bool,
    why: str,
    needs: Needs,
    cuts: Iterator[int] | None,
) -> FusedTraining:
    _build(model, feed)
    program = _PROGRAMS.get(
        model,
        (jit, feed.scale, needs),
        lambda: Program(model, jit_compile=jit, scale=feed.scale, needs=needs),
    )
    source = Resident(feed, to_device(feed.arrays))
    return FusedTraining(model, source, program, why=why, cuts=cuts)


def _build(model: keras.Model, feed: Feed) -> None:
    """Build a model, its optimizer, loss and metrics without taking a step.

    A model without `call`, a generative one with a `train_step` of its own, is built by tracing
    that step: a trace computes nothing.
    """
    batch = keras.utils.pack_x_y_sample_weight(*feed.batch(np.arange(feed.plan.batch_size)))
    try:
        keras_private.build(model, batch)
    except Exception as error:
        if keras_private.has_keras_step(model, "train_step"):
            raise NotBuiltError(error) from error
        shapes = keras.tree.map_structure(_any_number, batch)
        try:
            tf.function(model.train_step, autograph=False).get_concrete_function(shapes)
        except Exception as again:
            raise NotBuiltError(again) from again
    build_optimizer(model)


class NotBuiltError(Exception):
    """A model could not be built from its data; holds what Keras raised."""


def _any_number(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)
