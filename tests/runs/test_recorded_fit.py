"""`kerasbatch.fit` with `results`: an ordinary run directory for any training on arrays."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasbatch as kb

X = np.random.default_rng(0).normal(size=(80, 4)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("int64")


def compiled() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_each_call_is_a_new_run(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    for size in (8, 8, 32):
        history = kb.fit(
            compiled(),
            X,
            Y,
            batch_size=size,
            epochs=3,
            validation_split=0.2,
            verbose=0,
            results=place,
        )
    runs = kb.load(place).runs
    assert sorted(runs["batch_size"]) == [8, 8, 32]
    assert set(runs["step_check"]) == {"ok"}
    assert set(runs["status"]) == {"done"}
    large = runs[runs["batch_size"] == 32].iloc[0]
    assert large["observed_steps"] == 3 * 2
    assert large["train_examples"] == 64
    assert large["val_loss"] == pytest.approx(history.history["val_loss"][-1])
    result = kb.load_run(place / large["run_id"])
    assert list(result.history["epoch"]) == [1, 2, 3]
    assert result.steps["check"].eq("ok").all()
    table = kb.compare(place).table
    assert sorted(table["batch_size"]) == [8, 32]
    assert "batch" in kb.report(place)


def test_a_training_that_fails_is_recorded(tmp_path: Path) -> None:
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        kb.fit(
            compiled(), X, Y, epochs=4, verbose=0, callbacks=[Failing()], results=tmp_path / "mine"
        )
    (row,) = kb.load(tmp_path / "mine").runs.to_dict("records")
    assert row["status"] == "failed"
    assert "failed" in row["step_check"]


def test_the_error_of_data_that_do_not_fit_is_the_users(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        kb.fit(compiled(), X[:, :3], Y, verbose=0, engine="keras", results=tmp_path / "mine")
    (row,) = kb.load(tmp_path / "mine").runs.to_dict("records")
    assert (row["status"], row["observed_steps"]) == ("failed", 0)


def test_a_batch_larger_than_the_data(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="more than the 80 examples"):
        kb.fit(compiled(), X, Y, batch_size=500, verbose=0, results=tmp_path / "mine")
    (row,) = kb.load(tmp_path / "mine").runs.to_dict("records")
    assert (row["batch_size"], row["observed_steps"], row["step_check"]) == (80, 1, "ok")


def test_the_numbers_are_those_without(tmp_path: Path) -> None:
    first, second = compiled(), compiled()
    kb.fit(first, X, Y, batch_size=16, epochs=2, verbose=0, seed=3)
    kb.fit(second, X, Y, batch_size=16, epochs=2, verbose=0, seed=3, results=tmp_path / "mine")
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ((tf.data.Dataset.from_tensor_slices((X, Y)).batch(8),), {}, "records arrays"),
        ((X, Y), {"steps_per_epoch": 2}, "leave steps_per_epoch out"),
        ((X, Y), {"initial_epoch": 1, "epochs": 3}, "leave initial_epoch out"),
    ],
)
def test_what_cannot_be_recorded(
    data: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kb.SpecError, match=message):
        kb.fit(compiled(), *data, verbose=0, results=tmp_path / "mine", **options)
    assert not (tmp_path / "mine").exists()
