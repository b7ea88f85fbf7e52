"""Begins trainings: the fused engine where it can work, plain `model.fit` elsewhere.

Whatever engine takes them, the batches and their order are the same.
"""

import functools
import re
import textwrap
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import batches, choice, keras_private
from kerasbatch.engine.chunks import CHUNK_BYTES
from kerasbatch.engine.device import to_device
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.options import NO_NEEDS, Arrays, Needs
from kerasbatch.engine.plain import PlainTraining
from kerasbatch.engine.program import Program
from kerasbatch.engine.program_cache import ProgramCache
from kerasbatch.engine.source import Resident, Source
from kerasbatch.engine.stacked import Stacked
from kerasbatch.engine.streamed import Streamed
from kerasbatch.engine.variables import build_optimizer
from kerasbatch.errors import EngineError
from kerasbatch.shared_types import Engine

Training = FusedTraining | PlainTraining
HALVINGS = 7
"""How often chunks are halved where the device has no room: from 64 MB down to 1."""
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
    streamed: bool = False,
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
        streamed: take the data to the device chunk by chunk, even where they would fit.

    Raises:
        EngineError: if `engine` is fused and it cannot work.
    """
    held = [arrays for arrays in (evaluated, validation) if arrays is not None]
    chosen = choice.choose(model, feed, engine, callbacks, needs.jit_compile, held)
    if streamed and not chosen.streamed:
        chosen = replace(chosen, streamed="that was asked for")
    if chosen.fused:
        found = compiled(
            model,
            _sources(feed, chosen.streamed),
            chosen,
            needs,
            cuts,
            evaluated,
        )
        if isinstance(found, FusedTraining):
            return found
        chosen = choice.plain(model, found)
    if engine == "fused":
        raise refusal(str(chosen.obstacle))
    plain = PlainTraining(model, feed, why=chosen.why, obstacle=chosen.obstacle, needs=needs)
    if evaluated is not None:
        plain.compile(evaluated)
    return plain


def start_on_batches(
    model: keras.Model,
    source: Stacked,
    *,
    engine: Engine = "auto",
    needs: Needs = NO_NEEDS,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> FusedTraining | str:
    """Compile for batches that somebody else makes, or say why plain `model.fit` must train.

    Args:
        model: a compiled model.
        source: the batches.
        engine: `auto`, `fused` or `keras`.
        needs: what the program must be able to do.
        callbacks: the callbacks that will be used.

    Raises:
        Exception: whatever the batches raise.
    """
    obstacle = batches.obstacle(source.spec)
    chosen = choice.choose_for_batches(
        model, engine, callbacks, needs.jit_compile, source.total_steps
    )
    if obstacle or chosen.obstacle:
        return obstacle or str(chosen.obstacle)
    if chosen.jit_compile:
        source.mistake = functools.partial(choice.unseen_by_xla, model)
    source.open()
    found = compiled(model, iter([(", over the batches as they come", source)]), chosen, needs)
    if isinstance(found, str):
        source.close()
    return found


def compiled(
    model: keras.Model,
    sources: Iterator[tuple[str, Source]],
    chosen: choice.Choice,
    needs: Needs,
    cuts: Iterator[int] | None = None,
    evaluated: Arrays | None = None,
) -> FusedTraining | str:
    """Return a training that is compiled, or what keeps every program from being compiled.

    Args:
        model: a compiled model.
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
                training = _fused(model, source, jit, f"{reason}{told}", needs, cuts)
                training.compile(evaluated)
                return training
            except Exception as error:  # whatever TensorFlow cannot compile, plain Keras may train
                obstacle, lacks_room = _obstacle(error), _lacks_room(error)
                _PROGRAMS.forget(model)
                if lacks_room:
                    break
                if jit:
                    _WITHOUT_XLA.add(model)
        else:
            return obstacle
    return obstacle


def _sources(feed: Feed, streamed: str | None) -> Iterator[tuple[str, Source]]:
    """Yield the data as a whole, if they may be, and then in smaller and smaller chunks."""
    try:
        if streamed is None:
            yield "", Resident(feed, to_device(feed.arrays))
    except (MemoryError, tf.errors.ResourceExhaustedError):
        streamed = "they do not fit into the memory of the device"
    why = streamed or "they do not fit into the memory of the device"
    for halved in range(HALVINGS):
        source = Streamed(feed, CHUNK_BYTES >> halved)
        yield f", the data streamed in chunks of {source.megabytes:,.0f} MB, because {why}", source


def refusal(obstacle: str) -> EngineError:
    """Return the error of a fused engine that was asked for and cannot work."""
    return EngineError(f"the fused engine cannot work here: {obstacle}; use engine auto or keras")


def _attempts(model: keras.Model, chosen: choice.Choice) -> Iterator[tuple[bool, str]]:
    if not chosen.jit_compile or model not in _WITHOUT_XLA:
        yield chosen.jit_compile, chosen.why
    if chosen.jit_compile:
        yield False, "blocks of steps in one program, without XLA, which cannot compile this model"


def _lacks_room(error: Exception) -> bool:
    return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)


def _obstacle(error: Exception) -> str:
    if _lacks_room(error):
        return "the data do not fit into the memory of the device"
    built = not isinstance(error, NotBuiltError)
    cause = error if built else error.args[0]
    text = textwrap.shorten(re.sub(r"\x1b\[[0-9;]*m", "", str(cause)), 200, placeholder=" ...")
    told = f"({type(cause).__name__}: {text})"
    return f"its step cannot be compiled {told}" if built else f"Keras cannot build it {told}"


def _fused(
    model: keras.Model,
    source: Source,
    jit: bool,
    why: str,
    needs: Needs,
    cuts: Iterator[int] | None,
) -> FusedTraining:
    _build(model, source.example())
    scale = source.feed.scale if source.feed else None
    program = _PROGRAMS.get(
        model,
        (jit, scale, needs),
        lambda: Program(model, jit_compile=jit, scale=scale, needs=needs),
    )
    return FusedTraining(model, source, program, why=why, cuts=cuts)


def _build(model: keras.Model, example: Arrays) -> None:
    """Build a model, its optimizer, loss and metrics without taking a step.

    A model without `call`, a generative one with a `train_step` of its own, is built by tracing
    that step: a trace computes nothing.
    """
    batch = keras.utils.pack_x_y_sample_weight(*example)
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
