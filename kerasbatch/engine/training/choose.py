"""Chooses the engine and XLA from sizes alone, with a reason in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import psutil

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.engine import data_private, keras_private, keras_public, private_names
from kerasbatch.engine.backend import backend
from kerasbatch.engine.device import bytes_of, is_mapped
from kerasbatch.engine.model_state import build_model
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.callback_hooks import needs_every_batch
from kerasbatch.engine.training.evaluation import stays_in_files
from kerasbatch.engine.xla import PlannedSteps, XlaMode
from kerasbatch.types import Engine

BLOCKS = "blocks of steps in one program"


@dataclass(frozen=True)
class Choice:
    """An engine and the reasons for it.

    Args:
        fused: True for the fused engine, False for plain `model.fit`.
        mode: the use of XLA.
        why: the reasons in words.
        obstacle: the reason against the fused engine, or None.
        streamed: the reason for streaming the data in chunks; None if they are resident.
        xla_after: the number of steps without XLA before it compiles.
    """

    fused: bool
    mode: XlaMode
    why: str
    obstacle: str | None = None
    streamed: str | None = None
    xla_after: int = 0


def choose(
    model: keras.Model,
    stream: ExampleStream,
    engine: Engine,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    jit_compile: bool | None = None,
    resident: Sequence[Arrays] = (),
    settings: EngineSettings = DEFAULT_SETTINGS,
    initial_epoch: int = 0,
) -> Choice:
    """Choose the engine for arrays; for the fused one, build the model.

    Args:
        model: a compiled model.
        stream: its examples and their order.
        engine: the requested engine.
        callbacks: the callbacks of the training.
        jit_compile: whether to compile with XLA, or None to choose.
        resident: other arrays that will be on the device.
        settings: the thresholds of the engine.
        initial_epoch: the number of epochs before the training.
    """
    if engine == "keras":
        return Choice(False, "none", "plain model.fit, as asked for")
    try:
        check_model(model, callbacks)
        if reason := memory_obstacle(resident, settings):
            raise ObstacleError(reason)
        # Labels are compared with the outputs, which must exist.
        first = stream.batch(np.arange(1))
        build_model(model, keras.utils.pack_x_y_sample_weight(*first))
        steps = PlannedSteps(first, stream.plan.batch_size, stream.steps_after(initial_epoch))
        xla = backend().choose_xla(model, steps, jit_compile, settings)
    except ObstacleError as obstacle:
        return choose_plain(model, obstacle.reason)
    streamed = _copied_from_file(stream.arrays) or memory_obstacle(
        [stream.arrays, *resident], settings
    )
    return Choice(True, xla.mode, f"{BLOCKS}, {xla.why}", streamed=streamed)


def choose_for_batches(
    model: keras.Model,
    batch: Any,
    size: int | None,
    steps: int | None,
    jit_compile: bool | None,
    settings: EngineSettings = DEFAULT_SETTINGS,
) -> Choice:
    """Choose the use of XLA for the batches of a dataset, a generator or a PyDataset.

    Args:
        model: a built, compiled model.
        batch: the specs of a batch, (x, y, weight) or a part of them.
        size: the batch size, or None if it is unknown.
        steps: the steps of the training, or None if their number is unknown.
        jit_compile: whether to compile with XLA, or None to choose.
        settings: the thresholds of the engine.
    """
    planned = PlannedSteps(batch, size, steps, share=settings.batches_share)
    xla = backend().choose_xla(model, planned, jit_compile, settings)
    return Choice(True, xla.mode, f"{BLOCKS}, {xla.why}", xla_after=xla.after)


def no_gain_reason(
    dataset: Any,
    steps_per_epoch: int | None,
    settings: EngineSettings = DEFAULT_SETTINGS,
) -> str | None:
    """Return the reason why blocks of a dataset are no faster, or None if they are.

    Args:
        dataset: a dataset of batches.
        steps_per_epoch: as in Keras; None if an epoch is a pass.
        settings: the thresholds of the engine.
    """
    size = data_private.stated_batch_size(dataset) or 0
    if size >= settings.large_batch:
        return f"because steps of {size:,} examples gain nothing from blocks"
    count = int(dataset.cardinality())
    if 0 < count < settings.short_epoch and steps_per_epoch is None:
        return f"because epochs of {count} steps gain nothing from blocks"
    return None


def choose_plain(model: keras.Model, obstacle: str) -> Choice:
    """Return the choice of plain `model.fit`, with the obstacle to the fused engine."""
    why = f"plain model.fit, because {obstacle}"
    return Choice(False, "none", why, obstacle)


def memory_obstacle(
    resident: Sequence[Arrays], settings: EngineSettings = DEFAULT_SETTINGS
) -> str | None:
    """Return the reason why arrays do not all fit on the device, or None if they do."""
    copied = [arrays for arrays in resident if not stays_in_files(arrays, settings)]
    size = bytes_of(copied)
    free = psutil.virtual_memory().available
    if size > settings.memory_share * free:
        share = f"{settings.memory_share:.0%} of the {free / 1e9:.1f} GB of free memory"
        return f"the data take {size / 1e9:.1f} GB, more than {share}"
    return None


def check_model(model: keras.Model, callbacks: Iterable[keras.callbacks.Callback]) -> None:
    """Check that blocks of steps are possible.

    Raises:
        ObstacleError: if they are not.
    """
    if missing := private_names.missing(model):
        raise ObstacleError(missing)
    if limit := keras_public.limit_of_fits():
        raise ObstacleError(f"keras.config.set_{limit} cuts every fit")
    if model.run_eagerly or backend().runs_eagerly():
        raise ObstacleError("the model runs eagerly (run_eagerly)")
    if keras_private.has_own_train_function(model):
        raise ObstacleError("the model makes its train function itself")
    if backend().is_distributed(model):
        raise ObstacleError("the model is distributed over several devices")
    for callback in callbacks:
        if needs_every_batch(callback):
            raise ObstacleError(f"{type(callback).__name__} must be called for every batch")


def _copied_from_file(arrays: Arrays) -> str | None:
    """Return the reason to stream arrays in files that cannot be mapped without a full copy."""
    for array in keras.tree.flatten(arrays):
        is_cast = array.dtype.kind == "f" and array.dtype != keras.config.floatx()
        if is_memory_mapped(array) and (is_cast or not is_mapped(array)):
            return "they lie in a file"
    return None
