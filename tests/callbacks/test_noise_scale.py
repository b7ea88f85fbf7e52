"""The callback that measures noise, and the noise that a run records."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from run_support import run_here
from small_specs import LINE

import kerasbatch as kb
from kerasbatch.columns import NOISE_COLUMNS


def fitted(*callbacks: keras.callbacks.Callback, fused: bool) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    options: dict[str, Any] = {"batch_size": 8, "epochs": 3, "verbose": 0, "shuffle": False}
    fit = kb.fit if fused else keras.Model.fit
    fit(model, *data(), callbacks=list(callbacks), **options)
    return model


def data() -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    return random.normal(size=(100, 4)), random.integers(0, 3, 100)


@pytest.mark.parametrize("fused", [True, False])
def test_in_anybody_s_fit(fused: bool) -> None:
    """A row before the training and after every epoch; the training is as it was."""
    noise = kb.NoiseScale(*data(), examples="all")
    model = fitted(noise, fused=fused)
    for one, two in zip(model.get_weights(), fitted(fused=fused).get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert list(noise.history.columns) == list(NOISE_COLUMNS)
    assert noise.history["step"].tolist() == [0, 13, 26, 39]
    assert noise.history["examples"].isna().all()  # `fit` does not say how many it takes
    last = kb.gradient_noise(model, *data(), examples="all")
    assert noise.rows[-1]["trace"] == pytest.approx(last.trace, rel=1e-6)


def test_a_run_records_it_at_every_evaluation(small: dict[str, Any], tmp_path: Path) -> None:
    """Outside of the training's clock, and without a trace in its numbers."""
    without, *_ = run_here(small, tmp_path)
    found, *_ = run_here(small | {"record": ["noise"]}, tmp_path)
    table = pd.read_csv(found.directory / "noise.csv")
    assert list(table.columns) == list(NOISE_COLUMNS)
    assert table["step"].tolist() == found.history["step"].tolist()
    assert table["examples"].tolist() == found.history["examples"].tolist()
    assert (table["trace"] > 0).all()
    pd.testing.assert_series_equal(found.history["val_loss"], without.history["val_loss"])
    pd.testing.assert_frame_equal(found.noise, table)
    assert kb.load(found.directory).noise["trace"].tolist() == table["trace"].tolist()


def test_where_a_run_diverges_its_noise_is_empty(tmp_path: Path) -> None:
    """The run ends as it would have ended."""
    wild = LINE | {"optimizer": {"name": "sgd", "learning_rate": 1e25}, "record": ["noise"]}
    found, *_ = run_here(wild, tmp_path)
    assert found.status == "diverged"
    table = pd.read_csv(found.directory / "noise.csv")
    assert table["trace"].isna().iloc[-1]
    assert table["step"].tolist()[0] == 0


def test_a_model_of_one_s_own_step_cannot_record_it(small: dict[str, Any], tmp_path: Path) -> None:
    """The run says why."""
    (tmp_path / "own.py").write_text(
        "import keras\n"
        "class Own(keras.Sequential):\n"
        "    def train_step(self, data):\n"
        "        return super().train_step(data)\n"
        "def build(input_shape, classes):\n"
        "    layers = [keras.Input(input_shape), keras.layers.Dense(classes, 'softmax')]\n"
        "    return Own(layers)\n",
        encoding="utf-8",
    )
    spec = small | {"model": {"python": f"{tmp_path}/own.py:build"}, "record": ["noise"]}
    found = kb.run(spec, results=tmp_path, trust=True)
    assert found.status == "failed"
    assert "its train_step is its own" in found.message


def test_a_run_by_plain_fit_measures_the_same_noise(small: dict[str, Any], tmp_path: Path) -> None:
    """Its training step is one of ours, around that of Keras."""
    spec = small | {"record": ["noise"]}
    tables = []
    for engine in ("fused", "keras"):
        result = kb.run(spec | {"engine": engine}, results=tmp_path / engine)
        assert result.status == "done"
        tables.append(kb.load(result.directory).noise["noise_scale"])
    assert tables[0].tolist() == pytest.approx(tables[1].tolist(), rel=1e-3)
