"""Starts trainings by the fused engine on the batches of a dataset, a generator or a PyDataset."""

from collections.abc import Sequence
from typing import Any

import keras

from kerasbatch.engine import data_private
from kerasbatch.engine.model_state import build_model
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import NO_NEEDS, Needs
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.dataset import BatchSource
from kerasbatch.engine.training.attempted_steps import (
    attempted_step_effect,
    warn_of_attempted_steps,
)
from kerasbatch.engine.training.choose import check_model, choose_for_batches
from kerasbatch.engine.training.compile import compile_training
from kerasbatch.engine.training.fused import FusedTraining


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
