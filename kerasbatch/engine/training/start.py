"""Starts trainings by the fused engine, with plain `model.fit` as the fallback.

Both engines train on the same batches in the same order.
"""

from collections.abc import Iterator
from dataclasses import replace

import keras

from kerasbatch.engine.backend import backend
from kerasbatch.engine.device import to_device
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import NO_NEEDS, NO_OPTIONS, Arrays, FitOptions, Needs
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.resident import ResidentSource
from kerasbatch.engine.sources.source import StepSource
from kerasbatch.engine.sources.streamed import StreamedSource
from kerasbatch.engine.sources.user_stream import UserSource, UserStream
from kerasbatch.engine.training.choose import choose, choose_plain
from kerasbatch.engine.training.compile import compile_training
from kerasbatch.engine.training.fused import FusedTraining
from kerasbatch.engine.training.plain import PlainTraining
from kerasbatch.errors import EngineError
from kerasbatch.types import Engine

Training = FusedTraining | PlainTraining
HALVINGS = 7
"""The number of sizes to try, from 64 MB down to 1, each half of the one before it."""


def start(
    model: keras.Model,
    stream: ExampleStream,
    *,
    engine: Engine = "auto",
    needs: Needs = NO_NEEDS,
    options: FitOptions = NO_OPTIONS,
    cuts: Iterator[int] | None = None,
    evaluated: Arrays | None = None,
    streamed: bool = False,
    settings: EngineSettings = DEFAULT_SETTINGS,
) -> Training:
    """Choose an engine and compile; if that fails, return a training by plain `model.fit`.

    Args:
        model: a compiled model.
        stream: its examples and their order.
        engine: `auto`, `fused` or `keras`.
        needs: the required abilities of the program.
        options: the options of `fit`; callbacks that record a training may be added later.
        cuts: the steps after which callbacks must be called, ascending.
        evaluated: the arrays of evaluations, to compile for them.
        streamed: whether to stream the data in chunks even if they fit on the device.
        settings: the thresholds of the engine.

    Raises:
        EngineError: if `engine` is fused and it cannot work.
    """
    validation = options.validation
    held_out = validation.data if validation and validation.is_arrays else None
    resident = [arrays for arrays in (evaluated, held_out) if arrays is not None]
    choice = choose(
        model,
        stream,
        engine,
        options.callbacks,
        needs.jit_compile,
        resident,
        settings,
        options.initial_epoch,
    )
    if streamed and not choice.streamed:
        choice = replace(choice, streamed="that was asked for")
    if choice.fused:
        sources = _sources(stream, choice.streamed, settings)
        try:
            return compile_training(
                model, sources, choice, needs, settings, options, cuts, evaluated
            )
        except ObstacleError as obstacle:
            choice = choose_plain(model, obstacle.reason)
    if engine == "fused":
        raise refusal(str(choice.obstacle))
    plain = PlainTraining(model, stream, why=choice.why, obstacle=choice.obstacle, needs=needs)
    if evaluated is not None:
        plain.compile(evaluated)
    return plain


def _sources(
    stream: ExampleStream, streamed: str | None, settings: EngineSettings
) -> Iterator[tuple[str, StepSource]]:
    """Yield a resident source unless the data must be streamed, then streams of smaller chunks."""
    if isinstance(stream, UserStream):
        yield ", over the dataset as it comes", UserSource(stream, settings)
        return
    if streamed is None:
        streamed = "they do not fit into the memory of the device"
        if (resident := _resident(stream)) is not None:
            yield "", resident
            del resident  # so that its memory is free for the chunks
    for halvings in range(HALVINGS):
        try:
            source = StreamedSource(stream, settings, settings.chunk_bytes >> halvings)
        except MemoryError:
            continue
        size = f"chunks of {source.megabytes:,.0f} MB"
        yield f", the data streamed in {size}, because {streamed}", source


def _resident(stream: ExampleStream) -> ResidentSource | None:
    try:
        return ResidentSource(stream, to_device(stream.arrays))
    except Exception as error:
        if not backend().is_out_of_memory(error):
            raise
        return None


def refusal(obstacle: str) -> EngineError:
    """Return the error for a requested fused engine that cannot work."""
    return EngineError(f"the fused engine cannot work here: {obstacle}; use engine auto or keras")
