"""Begins trainings: the fused engine where it can work, plain `model.fit` elsewhere.

Whatever engine takes them, the batches and their order are the same.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import keras

from kerasbatch.engine import choice
from kerasbatch.engine.arguments import Arguments
from kerasbatch.engine.building import NotBuiltError, build
from kerasbatch.engine.chunks import CHUNK_BYTES
from kerasbatch.engine.compiled import NO_ROOM, compiled
from kerasbatch.engine.device import to_device
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.fused import FusedTraining
from kerasbatch.engine.options import NO_NEEDS, Arrays, Needs
from kerasbatch.engine.plain import KerasOwnTraining, PlainTraining
from kerasbatch.engine.source import Resident, Source
from kerasbatch.engine.stacked import Stacked
from kerasbatch.engine.streamed import Streamed
from kerasbatch.engine.unseen import unseen_by_xla
from kerasbatch.errors import EngineError
from kerasbatch.shared_types import Engine

Training = FusedTraining | PlainTraining
HALVINGS = 7
"""How often chunks are halved where the device has no room: from 64 MB down to 1."""


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
    needs: Needs = NO_NEEDS,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> FusedTraining | str:
    """Compile for batches that somebody else makes, or say why plain `model.fit` must train.

    Args:
        model: a compiled model.
        source: the batches.
        needs: what the program must be able to do.
        callbacks: the callbacks that will be used.

    Raises:
        Exception: whatever the batches raise.
    """
    chosen = choice.choose_for_batches(model, callbacks, needs.jit_compile, source.total_steps)
    if obstacle := source.obstacle or chosen.obstacle:
        return obstacle
    if chosen.jit_compile:
        source.is_doubtful = lambda arrays: unseen_by_xla(model, arrays) is not None
    try:
        build(model, source.spec)  # what is looked for in the data depends on the outputs
    except NotBuiltError as error:
        return error.obstacle
    source.open()
    found = compiled(model, iter([(", over the batches as they come", source)]), chosen, needs)
    if isinstance(found, str):
        source.close()
    return found


def _sources(feed: Feed, streamed: str | None) -> Iterator[tuple[str, Source]]:
    """Yield the data as a whole, if they may be, and then in smaller and smaller chunks."""
    if streamed is None:
        streamed = "they do not fit into the memory of the device"
        with contextlib.suppress(*NO_ROOM):
            yield "", Resident(feed, to_device(feed.arrays))
    for halved in range(HALVINGS):
        try:
            source = Streamed(feed, CHUNK_BYTES >> halved)
        except MemoryError:
            continue
        yield (
            f", the data streamed in chunks of {source.megabytes:,.0f} MB, because {streamed}",
            source,
        )


def left_to_keras(
    model: keras.Model,
    given: Arguments,
    obstacle: str | None,
    engine: Engine,
    why: str = "as asked for",
) -> KerasOwnTraining:
    """Return a training by `model.fit` as it was called.

    Args:
        model: a compiled model.
        given: the arguments of `fit`.
        obstacle: what keeps the fused engine from training this, or None: nothing does.
        engine: what was asked for.
        why: why it is not used, where there is no obstacle.

    Raises:
        EngineError: if `engine` is fused.
        SpecError: if an argument is none that Keras has.
    """
    if engine == "fused":
        raise refusal(str(obstacle))
    return KerasOwnTraining(model, given.for_keras(), obstacle, why)


def refusal(obstacle: str) -> EngineError:
    """Return the error of a fused engine that was asked for and cannot work."""
    return EngineError(f"the fused engine cannot work here: {obstacle}; use engine auto or keras")
