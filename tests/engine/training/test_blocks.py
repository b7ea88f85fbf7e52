"""Blocks of steps: who needs each batch, how long they are, where they begin."""

import warnings
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf
from corner_support import (
    CLASSES,
    RANDOM,
    TABLE,
    L,
    N,
    compiled,
)

import kerasbatch as kb
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.training.callback_hooks import needs_every_batch


class OnTest(keras.callbacks.Callback):
    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.last = batch


class Checkpoint(keras.callbacks.ModelCheckpoint):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.last = batch


def test_who_needs_every_batch(tmp_path: Path) -> None:
    kinds = keras.callbacks
    file = tmp_path / "m.keras"
    by_hand, seen = kinds.Callback(), []
    by_hand.on_train_batch_end = lambda batch, logs=None: seen.append(batch)
    asked = [
        OnTest(),
        Checkpoint(file),
        by_hand,
        kinds.ModelCheckpoint(file, save_freq=3),
        kinds.TensorBoard(tmp_path, update_freq="batch"),
        kinds.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch)),
    ]
    content = [
        kinds.ModelCheckpoint(file),
        kinds.TensorBoard(tmp_path),
        kinds.TerminateOnNaN(),
        kinds.EarlyStopping(),
        kinds.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
    ]
    assert [needs_every_batch(callback) for callback in asked] == [True] * 6
    assert [needs_every_batch(callback) for callback in content] == [False] * 5


def test_stopping_is_heard_between_blocks_and_before_the_first() -> None:
    """The first block is a short trial; a stop after it ends the epoch."""

    class Stop(keras.callbacks.Callback):
        accepts_blocks = True

        def __init__(self, hook: str) -> None:
            super().__init__()
            self.hook = hook

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training |= self.hook == "batch"

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training |= self.hook == "epoch"

    for hook in ("batch", "epoch"):
        model = compiled()
        kb.fit(model, TABLE, CLASSES, batch_size=1, epochs=3, callbacks=[Stop(hook)], verbose=0)
        assert int(model.optimizer.iterations) == 1


def test_a_block_takes_no_longer_than_it_should() -> None:
    """Where a step is slow, blocks are short, for Ctrl-C and progress."""

    class Listening(keras.callbacks.Callback):
        accepts_blocks = True
        heard: ClassVar[list[int]] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.heard.append(batch)

    options = {"batch_size": 1, "verbose": 0, "settings": EngineSettings(block_seconds=0.0)}
    kb.fit(compiled(), TABLE, CLASSES, callbacks=[Listening()], **options)
    assert Listening.heard == list(range(N))


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_an_interrupted_training_is_taken_up_in_its_order(engine: Any, tmp_path: Path) -> None:
    """BackupAndRestore sets the epoch when the training begins."""

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    options = {"batch_size": 10, "epochs": 4, "seed": 1, "verbose": 0, "engine": engine}
    whole, first, second = compiled(), compiled(), compiled()
    kb.fit(whole, TABLE, CLASSES, **options)
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        kb.fit(first, TABLE, CLASSES, callbacks=[backup, Interrupt()], **options)
    resumed = keras.callbacks.BackupAndRestore(tmp_path)
    history = kb.fit(second, TABLE, CLASSES, callbacks=[resumed], **options)
    assert history.epoch == [2, 3]
    for mine, theirs in zip(second.weights, whole.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_initial_epoch_begins_with_the_order_of_that_epoch(engine: Any) -> None:
    options = {"batch_size": 10, "seed": 1, "verbose": 0, "engine": engine}
    whole, parts = compiled(), compiled()
    kb.fit(whole, TABLE, CLASSES, epochs=3, **options)
    kb.fit(parts, TABLE, CLASSES, epochs=1, **options)
    kb.fit(parts, TABLE, CLASSES, epochs=3, initial_epoch=1, **options)
    for mine, theirs in zip(parts.weights, whole.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_the_reason_counts_the_steps_from_the_initial_epoch_on() -> None:
    """Of three epochs of a few steps, two are left."""
    options = {"batch_size": 10, "epochs": 3, "verbose": 0}
    whole, rest = (kb.fit(compiled(), TABLE, CLASSES, initial_epoch=n, **options) for n in (0, 1))
    steps = N // 10
    assert f"not pay in {3 * steps} steps" in whole.kerasbatch.why
    assert f"not pay in {2 * steps} steps" in rest.kerasbatch.why


@pytest.mark.parametrize("what", ["label", "index"])
@pytest.mark.parametrize("built", [True, False])
def test_what_xla_would_not_notice_is_trained_without_it(what: str, built: bool) -> None:
    """Keras' error for a label or an index that does not exist must come."""
    settings = EngineSettings(xla_steps=1)

    def words() -> keras.Model:
        layers = [L.Embedding(30, 4), L.GlobalAveragePooling1D(), L.Dense(4, "softmax")]
        begin = [keras.Input((5,), dtype="int32")] if built else []
        return keras.Sequential([*begin, *layers])

    x, y = RANDOM.randint(0, 30, size=(N, 5)), CLASSES.copy()
    assert (
        "compiled with XLA"
        in kb.fit(compiled(words), x, y, verbose=0, settings=settings).kerasbatch.why
    )
    (y if what == "label" else x)[3] = 99
    with pytest.raises(tf.errors.InvalidArgumentError):
        kb.fit(compiled(words), x, y, verbose=0, settings=settings)


def test_warnings_point_at_the_line_that_called_fit() -> None:
    model = compiled(run_eagerly=True)
    for x, y in [
        (TABLE, CLASSES),
        (tf.data.Dataset.from_tensors((TABLE, CLASSES)).repeat(16), None),
    ]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kb.fit(model, x, y, verbose=0, shuffle=False)
        (warning,) = [each for each in caught if "training by plain" in str(each.message)]
        assert warning.filename == __file__
