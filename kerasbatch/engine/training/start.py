"""Begins trainings: the fused engine where it can work, plain `model.fit` elsewhere.

Whatever engine takes them, the batches and their order are the same.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import keras

from kerasbatch.engine.device import to_device
from kerasbatch.engine.model_state import NotBuiltError, build_model
from kerasbatch.engine.options import NO_NEEDS, Arrays, Needs
from kerasbatch.engine.sources.chunks import CHUNK_BYTES
from kerasbatch.engine.sources.dataset import BatchSource
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.source import ResidentSource, StepSource
from kerasbatch.engine.sources.streamed import StreamedSource
from kerasbatch.engine.training.choose import choose, choose_for_batches, choose_plain
from kerasbatch.engine.training.compile import NO_ROOM, compile_training
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.obstacles import invalid_index
from kerasbatch.engine.training.plain import PlainTraining
from kerasbatch.errors import EngineError
from kerasbatch.types import Engine

Training = FusedTraining | PlainTraining
HALVINGS = 7
"""How often chunks are halved where the device has no room: from 64 MB down to 1."""


def start(
    model: keras.Model,
    feed: ExampleStream,
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
    chosen = choose(model, feed, engine, callbacks, needs.jit_compile, held)
    if streamed and not chosen.streamed:
        chosen = replace(chosen, streamed="that was asked for")
    if chosen.fused:
        found = compile_training(
            model,
            _sources(feed, chosen.streamed),
            chosen,
            needs,
            cuts,
            evaluated,
        )
        if isinstance(found, FusedTraining):
            return found
        chosen = choose_plain(model, found)
    if engine == "fused":
        raise refusal(str(chosen.obstacle))
    plain = PlainTraining(model, feed, why=chosen.why, obstacle=chosen.obstacle, needs=needs)
    if evaluated is not None:
        plain.compile(evaluated)
    return plain


def start_on_batches(
    model: keras.Model,
    source: BatchSource,
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
    chosen = choose_for_batches(model, callbacks, needs.jit_compile, source.total_steps)
    if obstacle := source.obstacle or chosen.obstacle:
        return obstacle
    if chosen.jit_compile:
        source.is_doubtful = lambda arrays: invalid_index(model, arrays) is not None
    try:
        build_model(model, source.spec)  # what is looked for in the data depends on the outputs
    except NotBuiltError as error:
        return error.obstacle
    source.open()
    found = compile_training(
        model, iter([(", over the batches as they come", source)]), chosen, needs
    )
    if isinstance(found, str):
        source.close()
    return found


def _sources(feed: ExampleStream, streamed: str | None) -> Iterator[tuple[str, StepSource]]:
    """Yield the data as a whole, if they may be, and then in smaller and smaller chunks."""
    if streamed is None:
        streamed = "they do not fit into the memory of the device"
        with contextlib.suppress(*NO_ROOM):
            yield "", ResidentSource(feed, to_device(feed.arrays))
    for halved in range(HALVINGS):
        try:
            source = StreamedSource(feed, CHUNK_BYTES >> halved)
        except MemoryError:
            continue
        yield (
            f", the data streamed in chunks of {source.megabytes:,.0f} MB, because {streamed}",
            source,
        )


def refusal(obstacle: str) -> EngineError:
    """Return the error of a fused engine that was asked for and cannot work."""
    return EngineError(f"the fused engine cannot work here: {obstacle}; use engine auto or keras")
