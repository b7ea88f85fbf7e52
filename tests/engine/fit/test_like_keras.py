"""Arguments, callbacks, validation and what is left of the model: as in Keras."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fit_support import (
    CLASSES,
    NUMBERS,
    SPARSE,
    TABLE,
    L,
    N,
    ready,
)

import kerasbatch as kb

pytestmark = [
    pytest.mark.backends,
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be ignored:UserWarning"),
]


def test_class_weights_are_sample_weights() -> None:
    """As in Keras."""
    class_weight = {0: 1.0, 1: 2.0, 2: 0.5, 3: 1.5}
    weights = np.array([class_weight[c] for c in CLASSES], np.float32)
    first, second = ready(), ready()
    kb.fit(first, TABLE, CLASSES, class_weight=class_weight, epochs=3, seed=1, verbose=0)
    kb.fit(second, TABLE, CLASSES, sample_weight=weights, epochs=3, seed=1, verbose=0)
    for mine, theirs in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="no sample_weight beside it"):
        kb.fit(first, TABLE, CLASSES, class_weight=class_weight, sample_weight=weights)


def test_class_weights_leave_the_validation_alone() -> None:
    """As in Keras: the part split off is measured without them."""
    model = ready()
    heavy = {0: 1.0, 1: 9.0, 2: 0.5, 3: 1.5}
    options = {"validation_split": 0.2, "class_weight": heavy, "verbose": 0}
    history = kb.fit(model, TABLE, CLASSES, **options)
    loss, _ = model.evaluate(TABLE[88:], CLASSES[88:], verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("split", [True, False], ids=["split", "data"])
def test_validation_is_that_of_keras(split: bool) -> None:
    """val_ metrics equal those of evaluate on the same part."""
    model = ready()
    if split:
        options: dict[str, Any] = {"validation_split": 0.2}
        held = TABLE[88:], CLASSES[88:]
    else:
        held = TABLE[:33], CLASSES[:33]
        options = {"validation_data": held}
    history = kb.fit(model, TABLE, CLASSES, epochs=3, verbose=0, validation_freq=1, **options)
    loss, accuracy = model.evaluate(*held, verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert history.history["val_accuracy"][-1] == pytest.approx(accuracy, rel=1e-5)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_callbacks_of_keras(tmp_path: Path) -> None:
    """Epoch callbacks behave as in fit; params and batches speak of steps."""
    heard: list[int] = []

    class Listener(keras.callbacks.Callback):
        accepts_blocks = True

        def on_train_begin(self, logs: Any = None) -> None:
            assert self.params["steps"] == 14
            assert self.params["epochs"] == 30

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            assert set(logs) == {"loss", "accuracy"}
            heard.append(batch)

    stopper = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras", monitor="loss")
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    counter = kb.StepCounter(train_examples=N, batch_size=8)
    model = ready()
    callbacks = [Listener(), stopper, schedule, checkpoint, logger, counter]
    history = kb.fit(
        model,
        TABLE,
        CLASSES,
        batch_size=8,
        epochs=30,
        callbacks=callbacks,
        verbose=0,
        engine="fused",
    )
    assert history.epoch == [0, 1]
    first = heard[: heard.index(13) + 1]
    second = heard[len(first) :]
    assert first[-1] == second[-1] == 13
    assert first == sorted(set(first))
    assert second == sorted(set(second))
    assert history.history["learning_rate"] == pytest.approx([0.1, 0.05])
    assert len((tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert counter.check() == "ended_early: early_stop"
    assert counter.steps["check"].tolist() == ["ok", "ok"]
    saved = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(saved.predict(TABLE, verbose=0), model.predict(TABLE, verbose=0))


def test_reduce_on_plateau_changes_the_rate_inside_the_program() -> None:
    """The learning rate is a variable, also for XLA."""
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=100)
    model = ready()
    kb.fit(model, TABLE, CLASSES, epochs=5, callbacks=[plateau], verbose=0, jit_compile=True)
    assert float(model.optimizer.learning_rate) < 0.001


def test_terminate_on_nan_stops_at_the_step() -> None:
    """Not at the end of a block."""
    model = keras.Sequential([keras.Input((6,)), L.Dense(1)])
    model.compile(keras.optimizers.SGD(1e15), "mse")
    counter = kb.StepCounter(train_examples=N, batch_size=1)
    with np.errstate(all="ignore"):
        kb.fit(
            model,
            TABLE,
            NUMBERS,
            batch_size=1,
            epochs=3,
            callbacks=[keras.callbacks.TerminateOnNaN(), counter],
            verbose=0,
            engine="fused",
        )
    assert 0 < counter.observed_steps < 20
    assert counter.verdict() == "ended_early: early_stop"


def test_the_model_is_as_if_nothing_had_been_there(tmp_path: Path) -> None:
    """fit, evaluate, predict and save by plain Keras work afterwards, and agree."""
    model, other = ready(), ready()
    for each in (model, other):
        kb.fit(each, TABLE, CLASSES, epochs=2, seed=3, verbose=0, validation_split=0.1)
    assert model.train_function is None
    assert model.test_function is None
    assert "train_step" not in vars(model)
    keras.utils.set_random_seed(2)
    model.fit(TABLE, CLASSES, epochs=2, verbose=0, shuffle=False)
    fresh = keras.models.clone_model(other)
    fresh.compile(keras.optimizers.Adam(0.01), SPARSE, metrics=["accuracy"])
    fresh.set_weights(other.get_weights())
    fresh.optimizer.build(fresh.trainable_variables)
    for mine, theirs in zip(fresh.optimizer.variables, other.optimizer.variables, strict=True):
        mine.assign(theirs)
    fresh.fit(TABLE, CLASSES, epochs=2, verbose=0, shuffle=False)
    for mine, theirs in zip(model.weights, fresh.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.evaluate(TABLE, CLASSES, verbose=0) == pytest.approx(
        model.evaluate(TABLE, CLASSES, verbose=0), rel=1e-5
    )


def test_numbers_of_numpy_and_tables_of_pandas() -> None:
    """What Keras takes: the loop `for b in np.array([...])`, DataFrames and Series."""
    import pandas as pd

    model, other = ready(), ready()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = kb.fit(
            model,
            pd.DataFrame(TABLE),
            pd.Series(CLASSES),
            batch_size=np.int64(16),
            epochs=np.int64(2),
            steps_per_epoch=np.int64(3),
            seed=np.int64(1),
            verbose=0,
        )
    assert history.kerasbatch.engine == "fused"
    kb.fit(other, TABLE, CLASSES, batch_size=16, epochs=2, steps_per_epoch=3, seed=1, verbose=0)
    for mine, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_validation_steps_measure_the_first_batches() -> None:
    """Two batches of 10 of the validation data."""
    model = ready()
    options = {"validation_steps": 2, "validation_batch_size": 10, "verbose": 0}
    history = kb.fit(model, TABLE, CLASSES, validation_data=(TABLE, CLASSES), **options)
    loss, _ = model.evaluate(TABLE[:20], CLASSES[:20], verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


def test_many_models_are_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    """TensorFlow takes a program for every model for a function that is traced too often."""
    for _ in range(6):
        kb.fit(ready(), TABLE, CLASSES, validation_split=0.2, verbose=0)
    assert "retracing" not in caplog.text
