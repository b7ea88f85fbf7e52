"""Chooses the engine and XLA from sizes alone, with a reason in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import psutil
import tensorflow as tf

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.engine import data_private, keras_private, keras_public, tensorflow_private
from kerasbatch.engine.device import bytes_of, is_mapped
from kerasbatch.engine.model_state import build_model
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.program.xla_mode import XlaMode
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.callback_hooks import needs_every_batch
from kerasbatch.engine.training.evaluation import stays_in_files
from kerasbatch.types import Engine

# On CPUs, XLA's convolutions are many times slower than TensorFlow's (measured: a small convnet
# at batch 16 runs 21 steps/s with XLA, 289 without, and takes 18 s to compile).
SLOW_UNDER_XLA = ("Conv", "DepthwiseConv", "SeparableConv", "MaxPooling", "AveragePooling")
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
        _check_model(model, callbacks)
        if reason := memory_obstacle(resident, settings):
            raise ObstacleError(reason)
        # Labels are compared with the outputs, which must exist.
        build_model(model, keras.utils.pack_x_y_sample_weight(*stream.batch(np.arange(1))))
    except ObstacleError as obstacle:
        return choose_plain(model, obstacle.reason)
    steps = stream.steps_after(initial_epoch)
    jit, why = _requested_xla(jit_compile) or choose_xla(model, steps, settings.xla_steps)
    streamed = _copied_from_file(stream.arrays) or memory_obstacle(
        [stream.arrays, *resident], settings
    )
    return Choice(True, _mode(jit, settings), f"{BLOCKS}, {why}", streamed=streamed)


def choose_for_batches(
    model: keras.Model,
    callbacks: Iterable[keras.callbacks.Callback],
    jit_compile: bool | None,
    steps: int | None,
    settings: EngineSettings = DEFAULT_SETTINGS,
) -> Choice:
    """Choose the engine for the batches of a dataset, a generator or a PyDataset.

    Args:
        model: a compiled model.
        callbacks: the callbacks of the training.
        jit_compile: whether to compile with XLA, or None to choose.
        steps: the steps of the training, or None if their number is unknown.
        settings: the thresholds of the engine.

    Raises:
        ObstacleError: if the fused engine cannot train the model.
    """
    _check_model(model, callbacks)
    threshold = settings.xla_batches
    expected = threshold if steps is None else steps
    jit, why = _requested_xla(jit_compile) or choose_xla(model, expected, threshold)
    is_automatic = jit_compile is None and keras_private.requested_xla(model) is None
    if steps is None and jit and is_automatic:
        later = f"compiled with XLA after {threshold:,} steps, for nobody knows how many will come"
        return Choice(True, _mode(jit, settings), f"{BLOCKS}, {later}", xla_after=threshold)
    return Choice(True, _mode(jit, settings), f"{BLOCKS}, {why}")


def no_gain_reason(
    dataset: tf.data.Dataset,
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


def choose_xla(model: keras.Model, steps: int, threshold: int) -> tuple[bool, str]:
    """Return whether to compile a training with XLA, and the reason.

    Args:
        model: a built, compiled model.
        steps: the steps of the training.
        threshold: the number of steps from which on XLA pays.
    """
    requested = keras_private.requested_xla(model)
    if requested is not None:
        return requested, f"{'with' if requested else 'without'} XLA, as jit_compile says"
    if not keras_private.supports_xla(model):
        return False, "without XLA, which a layer does not support"
    if steps < threshold:
        return False, f"without XLA, whose compilation would not pay in {steps:,} steps"
    if not tf.config.list_physical_devices("GPU"):
        for layer in keras_private.all_layers(model):
            if type(layer).__name__.startswith(SLOW_UNDER_XLA):
                name = type(layer).__name__
                return False, f"without XLA, which is slow for {name} on a CPU"
    return True, f"compiled with XLA, which pays off over {steps:,} steps"


def _mode(jit_compile: bool, settings: EngineSettings) -> XlaMode:
    if not jit_compile:
        return "none"
    return settings.xla_mode or "loop"


def _requested_xla(jit_compile: bool | None) -> tuple[bool, str] | None:
    if jit_compile is None:
        return None
    return jit_compile, f"{'with' if jit_compile else 'without'} XLA, as asked for"


def _check_model(model: keras.Model, callbacks: Iterable[keras.callbacks.Callback]) -> None:
    """Raise ObstacleError if blocks of steps are impossible."""
    if missing := keras_private.missing(model):
        raise ObstacleError(missing)
    if limit := keras_public.limit_of_fits():
        raise ObstacleError(f"keras.config.set_{limit} cuts every fit")
    if model.run_eagerly or tf.config.functions_run_eagerly():
        raise ObstacleError("the model runs eagerly (run_eagerly)")
    if keras_private.has_own_train_function(model):
        raise ObstacleError("the model makes its train function itself")
    if tensorflow_private.is_distributed(model):
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
