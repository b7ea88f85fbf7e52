"""Recorder in anybody's `model.fit`."""

import pytest
from callback_support import X, Y, compiled, line

import kerasbatch


def test_the_recorder_keeps_what_keras_found() -> None:
    """A row per epoch, with the columns of history.csv."""
    recorder = kerasbatch.Recorder(train_examples=40, batch_size=8)
    model = compiled(line(), metrics=["mae"])
    history = model.fit(
        X, Y, batch_size=8, epochs=3, verbose=0, validation_split=0.2, callbacks=[recorder]
    )
    table = recorder.history
    assert table["step"].tolist() == [5, 10, 15]
    assert table["examples"].tolist() == [40, 80, 120]
    assert table["val_mae"].tolist() == history.history["val_mae"]
    assert table["learning_rate"].tolist() == pytest.approx([0.1] * 3)
    assert table["seconds"].is_monotonic_increasing
