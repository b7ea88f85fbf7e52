"""Validation and evaluation inside a fused training."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf
from corner_support import CLASSES, SPARSE, TABLE, WEIGHTS, L, both, compiled, dense

import kerasbatch as kb
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow.program import TensorFlowProgram
from kerasbatch.engine.training.evaluation import ArrayEvaluation


def test_validation_with_everything() -> None:
    """Sample weights, ragged sizes, a frequency, and a batch size as Keras uses it."""
    held = (TABLE[:37], CLASSES[:37], WEIGHTS[:37])
    options = {"validation_data": held, "validation_freq": 2, "validation_batch_size": 5}
    both(dense, TABLE, CLASSES, epochs=5, sample_weight=WEIGHTS, **options)


def two_outputs() -> keras.Model:
    x = keras.Input((6,))
    return keras.Model(x, {"c": L.Dense(4, "softmax", name="c")(x), "d": L.Dense(1, name="d")(x)})


def test_an_output_without_weights_beside_one_with_weights() -> None:
    y = {"c": CLASSES, "d": TABLE[:, :1]}
    losses = {"c": SPARSE, "d": "mse"}
    weights = {"c": WEIGHTS, "d": None}
    held = (TABLE[:37], {"c": CLASSES[:37], "d": TABLE[:37, :1]})
    options = {"loss": losses, "metrics": None}
    both(two_outputs, TABLE, y, sample_weight=weights, validation_data=held, **options)
    with pytest.raises(ValueError, match="class_weight needs a single output"):
        kb.fit(compiled(two_outputs, **options), TABLE, y, class_weight={0: 2.0})


def test_an_evaluation_in_a_callback_measures_what_it_is_given() -> None:
    """And train_on_batch in a callback trains on what it is given."""
    found: list[float] = []

    class Tester(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found.append(self.model.evaluate(TABLE, CLASSES, verbose=0)[0])

    model = compiled()
    held = TABLE[:20], CLASSES[:20]
    history = kb.fit(model, TABLE, CLASSES, validation_data=held, callbacks=[Tester()], verbose=0)
    assert found[0] == pytest.approx(model.evaluate(TABLE, CLASSES, verbose=0)[0], rel=1e-5)
    held_loss = model.evaluate(*held, verbose=0)[0]
    assert history.history["val_loss"][0] == pytest.approx(held_loss, rel=1e-5)

    class Trainer(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.train_on_batch(TABLE[:8], CLASSES[:8])

    kb.fit(model, TABLE, CLASSES, batch_size=10, callbacks=[Trainer()], verbose=0)
    assert int(model.optimizer.iterations) == 4 + 11 + 1


def test_validation_counts_as_data_in_memory() -> None:
    free = psutil.virtual_memory().available
    settings = EngineSettings(memory_share=2 * TABLE.nbytes / free)
    model = compiled()
    assert kb.fit(model, TABLE, CLASSES, verbose=0, settings=settings).kerasbatch.engine == "fused"
    held = (np.tile(TABLE, (40, 1)), np.tile(CLASSES, 40))
    with pytest.warns(UserWarning, match="GB of free memory"):
        history = kb.fit(model, TABLE, CLASSES, validation_data=held, verbose=0, settings=settings)
    assert history.kerasbatch.engine == "keras"


@pytest.mark.parametrize("steps", [3, 7])
def test_steps_without_a_batch_size_decide_it(steps: int) -> None:
    """Keras takes the size that makes so many steps of all examples."""
    options = {"batch_size": None, "steps_per_epoch": steps, "validation_steps": steps}
    model, _ = both(dense, TABLE, CLASSES, validation_data=(TABLE[:50], CLASSES[:50]), **options)
    assert int(model.optimizer.iterations) == 2 * steps


@pytest.mark.parametrize(
    ("dtype", "rows"), [(np.float32, [16] * 6 + [14]), (np.float64, [8] * 13 + [6])]
)
def test_large_files_are_measured_part_by_part(
    dtype: Any, rows: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the results of arrays in memory, and never more than a part on the device."""
    settings = EngineSettings(chunk_bytes=30 * TABLE[0].nbytes)
    moved: list[int] = []
    evaluate = TensorFlowProgram.evaluate

    def watched(self: TensorFlowProgram, arrays: Any, *options: Any) -> Any:
        moved.append(len(arrays[0]))
        assert arrays[0].dtype == tf.float32
        return evaluate(self, arrays, *options)

    monkeypatch.setattr(TensorFlowProgram, "evaluate", watched)
    np.save(tmp_path / "x.npy", TABLE.astype(dtype))
    found = []
    for x in (TABLE, np.load(tmp_path / "x.npy", mmap_mode="r")):
        options = {"validation_data": (x, CLASSES), "validation_batch_size": 8, "verbose": 0}
        history = kb.fit(compiled(), TABLE, CLASSES, epochs=2, settings=settings, **options)
        found.append(history.history)
    assert found[0].keys() == found[1].keys()
    for name, values in found[0].items():
        assert found[1][name] == pytest.approx(values, rel=1e-5)
    assert moved == [len(TABLE)] * 2 + rows * 2


def test_large_examples_are_measured_in_small_batches() -> None:
    """So that an evaluation needs no more memory than a training."""
    program = TensorFlowProgram.__new__(TensorFlowProgram)
    sizes = [
        ArrayEvaluation(dense(), program, (np.zeros((24, side, side), np.uint8),)).size
        for side in (1, 1024, 4096)
    ]
    assert sizes == [24, 4, 1]
