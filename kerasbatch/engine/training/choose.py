"""Which engine, and with XLA or without: decided by what is known, with the reason in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import psutil
import tensorflow as tf

from kerasbatch.array_files import in_a_file
from kerasbatch.engine import keras_private
from kerasbatch.engine.device import bytes_of, is_mapped
from kerasbatch.engine.model_state import NotBuiltError, build_model
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.evaluation import stays_in_files
from kerasbatch.engine.training.obstacles import invalid_index, needs_every_batch
from kerasbatch.types import Engine

MEMORY_SHARE = 0.5
"""The share of free memory that data may take on the device."""
STEPS_THAT_PAY_FOR_XLA = 1000
"""Compiling with XLA takes about half a second longer, and saves about half a millisecond a step
(an MLP at batch 16 on two cores: 1,600 steps/s without, 6,400 with)."""
BATCHES_THAT_PAY_FOR_XLA = 2000
"""Where somebody else makes the batches, making them takes its time too, and less can be saved (at
batch 16 in 1,250 steps XLA costs 0.3 s, in 2,500 it saves up to 0.5)."""
LARGE_BATCH = 512
"""From here on, a copy of the batches costs as much as blocks save (an MLP on two cores: 0.9 of
the speed of plain `fit` at 512, 0.7 at 2,048)."""
SHORT_EPOCH = 16
"""Steps from which on it pays that a dataset is laid out in blocks in every epoch (as measured:
0.7 of the speed at 4 steps, 1.0 at 16, 1.6 at 32)."""
# On CPUs, XLA's convolutions are many times slower than TensorFlow's own (measured: a small
# convnet at batch 16 makes 21 steps/s with XLA, 289 without, and takes 18 s to compile).
SLOW_UNDER_XLA = ("Conv", "DepthwiseConv", "SeparableConv", "MaxPooling", "AveragePooling")


BLOCKS = "blocks of steps in one program"


@dataclass(frozen=True)
class Choice:
    """An engine and the reasons for it.

    Args:
        fused: True for the fused engine, False for plain `model.fit`.
        jit_compile: whether to compile with XLA.
        why: the reasons in words.
        obstacle: what keeps the fused engine from working here, if something does.
        streamed: why the data go to the device chunk by chunk, or None: as a whole.
        xla_after: steps that are taken without XLA before it is compiled.
    """

    fused: bool
    jit_compile: bool
    why: str
    obstacle: str | None = None
    streamed: str | None = None
    xla_after: int = 0


def choose(
    model: keras.Model,
    feed: ExampleStream,
    engine: Engine,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    jit_compile: bool | None = None,
    held: Sequence[Arrays] = (),
) -> Choice:
    """Choose how to train; the fused engine, only for a model that is built then.

    Args:
        model: a compiled model.
        feed: its data.
        engine: what was asked for.
        callbacks: the callbacks of the training.
        jit_compile: whether to compile with XLA, or None to choose.
        held: other arrays that will lie on the device.
    """
    if engine == "keras":
        return Choice(False, bool(model.jit_compile), "plain model.fit, as asked for")
    if obstacle := _obstacle(model, callbacks) or memory_obstacle(held):
        return choose_plain(model, obstacle)
    try:
        # Labels are held against outputs, which must be there.
        build_model(model, keras.utils.pack_x_y_sample_weight(*feed.batch(np.arange(1))))
    except NotBuiltError as error:
        return choose_plain(model, error.obstacle)
    jit, why = _asked(jit_compile) or choose_xla(model, feed.arrays, feed.total_steps)
    streamed = _copied_from_a_file(feed.arrays) or memory_obstacle([feed.arrays, *held])
    return Choice(True, jit, f"{BLOCKS}, {why}", streamed=streamed)


def choose_for_batches(
    model: keras.Model,
    callbacks: Iterable[keras.callbacks.Callback],
    jit_compile: bool | None,
    steps: int | None,
) -> Choice:
    """Choose how to train on batches that somebody else makes.

    Args:
        model: a compiled model.
        callbacks: the callbacks of the training.
        jit_compile: whether to compile with XLA, or None to choose.
        steps: of the whole training, or None where nobody knows.
    """
    if obstacle := _obstacle(model, callbacks):
        return choose_plain(model, obstacle)
    pays_from = BATCHES_THAT_PAY_FOR_XLA
    many = pays_from if steps is None else steps
    jit, why = _asked(jit_compile) or choose_xla(model, (), many, pays_from)
    is_ours = jit_compile is None and keras_private.asked_for_xla(model) is None
    if steps is None and jit and is_ours:
        later = f"compiled with XLA after {pays_from:,} steps, for nobody knows how many will come"
        return Choice(True, jit, f"{BLOCKS}, {later}", xla_after=pays_from)
    return Choice(True, jit, f"{BLOCKS}, {why}")


def no_gain_reason(dataset: tf.data.Dataset, steps_per_epoch: int | None) -> str | None:
    """Say so where steps of a dataset take so long, or are so few, that blocks are no faster.

    Args:
        dataset: of batches.
        steps_per_epoch: as in Keras, or None: epochs are passes.
    """
    size = keras_private.stated_batch_size(dataset) or 0
    if size >= LARGE_BATCH:
        return f"because steps of {size:,} examples gain nothing from blocks"
    count = int(dataset.cardinality())
    if 0 < count < SHORT_EPOCH and steps_per_epoch is None:
        return f"because epochs of {count} steps gain nothing from blocks"
    return None


def _asked(jit_compile: bool | None) -> tuple[bool, str] | None:
    if jit_compile is None:
        return None
    return jit_compile, f"{'with' if jit_compile else 'without'} XLA, as asked for"


def choose_plain(model: keras.Model, obstacle: str) -> Choice:
    """Return the choice of plain `model.fit` where the fused engine cannot work."""
    why = f"plain model.fit, because {obstacle}"
    return Choice(False, bool(model.jit_compile), why, obstacle)


def _obstacle(model: keras.Model, callbacks: Iterable[keras.callbacks.Callback]) -> str | None:
    """Return what makes blocks of steps impossible, or None."""
    if gone := keras_private.missing(model):
        return gone
    if model.run_eagerly or tf.config.functions_run_eagerly():
        return "the model runs eagerly (run_eagerly)"
    if keras_private.has_own_train_function(model):
        return "the model makes its train function itself"
    if keras_private.is_distributed(model):
        return "the model is distributed over several devices"
    for callback in callbacks:
        if needs_every_batch(callback):
            return f"{type(callback).__name__} needs to hear of every batch"
    return None


def _copied_from_a_file(arrays: Arrays) -> str | None:
    """Say so where arrays lie in files, and would have to be copied as a whole."""
    for array in keras.tree.flatten(arrays):
        other = array.dtype.kind == "f" and array.dtype != keras.config.floatx()
        if in_a_file(array) and (other or not is_mapped(array)):
            return "they lie in a file"
    return None


def memory_obstacle(held: Sequence[Arrays]) -> str | None:
    """Say so where arrays take more than their share of the free memory on the device."""
    copied = [arrays for arrays in held if not stays_in_files(arrays)]
    size = bytes_of(copied)
    free = psutil.virtual_memory().available
    if size > MEMORY_SHARE * free:
        share = f"{MEMORY_SHARE:.0%} of the {free / 1e9:.1f} GB of free memory"
        return f"the data take {size / 1e9:.1f} GB, more than {share}"
    return None


def choose_xla(
    model: keras.Model, arrays: Arrays, steps: int, pays_from: int | None = None
) -> tuple[bool, str]:
    """Decide whether to compile so many steps with XLA, and say why."""
    asked = keras_private.asked_for_xla(model)
    if asked is not None:
        return asked, f"{'with' if asked else 'without'} XLA, as jit_compile says"
    if not keras_private.supports_xla(model):
        return False, "without XLA, which a layer does not support"
    if steps < (pays_from or STEPS_THAT_PAY_FOR_XLA):
        return False, f"without XLA, whose compilation would not pay in {steps:,} steps"
    if not tf.config.list_physical_devices("GPU"):
        for layer in keras_private.all_layers(model):
            if type(layer).__name__.startswith(SLOW_UNDER_XLA):
                name = type(layer).__name__
                return False, f"without XLA, which is slow for {name} on a CPU"
    if arrays and (unseen := invalid_index(model, arrays)):
        return False, f"without XLA, which would not notice {unseen}"
    return True, f"compiled with XLA, which pays in {steps:,} steps"
