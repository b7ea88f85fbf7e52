"""Starts trainings by the fused engine, with plain `model.fit` as the fallback.

Both engines train on the same batches in the same order.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras

from kerasbatch.engine import data_private
from kerasbatch.engine.device import to_device
from kerasbatch.engine.model_state import build_model
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import NO_NEEDS, NO_OPTIONS, Arrays, FitOptions, Needs
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.dataset import BatchSource
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.resident import ResidentSource
from kerasbatch.engine.sources.source import StepSource
from kerasbatch.engine.sources.streamed import StreamedSource
from kerasbatch.engine.sources.user_stream import UserSource, UserStream
from kerasbatch.engine.training.attempted_steps import (
    attempted_step_effect,
    warn_of_attempted_steps,
)
from kerasbatch.engine.training.choose import check_model, choose, choose_for_batches, choose_plain
from kerasbatch.engine.training.compile import NO_ROOM, compile_training
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


def start_on_batches(
    model: keras.Model,
    adapter: Any,
    *,
    epochs: int,
    epochs_left: int,
    steps_per_epoch: int | None,
    needs: Needs = NO_NEEDS,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    settings: EngineSettings = DEFAULT_SETTINGS,
) -> FusedTraining:
    """Compile for the batches of a dataset, a generator or a PyDataset.

    Args:
        model: a compiled model.
        adapter: Keras' own adapter for the batches.
        epochs: the epoch to end with.
        epochs_left: the number of epochs to train.
        steps_per_epoch: as in Keras, or None.
        needs: the required abilities of the program.
        callbacks: the callbacks of the training.
        settings: the thresholds of the engine.

    Raises:
        ObstacleError: if plain `model.fit` must train.
        Exception: any error of the batches.
    """
    per_epoch = steps_per_epoch or adapter.num_batches
    total = None if per_epoch is None else epochs_left * per_epoch
    check_model(model, callbacks)
    inputs = getattr(model, "inputs", None) or ()
    source = BatchSource(adapter, epochs, steps_per_epoch, total, settings, inputs)
    source.check_layout()
    build_model(model, source.spec)  # labels are compared with the outputs, which must exist
    batch = source.spec if source.as_tuples else (source.spec,)
    choice = choose_for_batches(
        model, batch, source.likely_size, total, needs.jit_compile, settings
    )
    source.open()
    sources = iter([(", over the batches as they come", source)])
    try:
        training = compile_training(model, sources, choice, needs, settings)
    except ObstacleError:
        source.close()
        raise
    _note_attempted_steps(model, source, epochs_left)
    return training


def _note_attempted_steps(model: keras.Model, source: BatchSource, epochs_left: int) -> None:
    """Warn of Keras' attempted steps, now or, for epochs of known length, when data run out."""
    steps_per_epoch = source.requested_steps_per_epoch
    if source.batches_per_pass is not None or (steps_per_epoch is None and epochs_left <= 1):
        return
    effect = attempted_step_effect(model)
    if effect is None:
        return
    if steps_per_epoch is not None:
        source.attempted_step_effect = effect
    else:
        is_dataset = data_private.is_of_dataset(source.adapter)
        warn_of_attempted_steps(effect, is_dataset=is_dataset, stacklevel=6)


def _sources(
    stream: ExampleStream, streamed: str | None, settings: EngineSettings
) -> Iterator[tuple[str, StepSource]]:
    """Yield a resident source unless the data must be streamed, then streams of smaller chunks."""
    if isinstance(stream, UserStream):
        yield ", over the dataset as it comes", UserSource(stream, settings)
        return
    if streamed is None:
        streamed = "they do not fit into the memory of the device"
        with contextlib.suppress(*NO_ROOM):
            yield "", ResidentSource(stream, to_device(stream.arrays))
    for halvings in range(HALVINGS):
        try:
            source = StreamedSource(stream, settings, settings.chunk_bytes >> halvings)
        except MemoryError:
            continue
        size = f"chunks of {source.megabytes:,.0f} MB"
        yield f", the data streamed in {size}, because {streamed}", source


def refusal(obstacle: str) -> EngineError:
    """Return the error for a requested fused engine that cannot work."""
    return EngineError(f"the fused engine cannot work here: {obstacle}; use engine auto or keras")
