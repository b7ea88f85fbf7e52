"""Kept models for other programs: the raw examples in, what `predict` writes out."""

import importlib
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import kerasbatch as kb
from kerasbatch.inference.encode import encode_examples
from kerasbatch.inference.outputs import model_outputs
from kerasbatch.inference.saved_model import load_saved_model
from kerasbatch.inference.serving import export_model

RANDOM = np.random.default_rng(0)
AREA = RANDOM.uniform(30, 200, 60)
AREA[3] = np.nan
HOUSES = pd.DataFrame(
    {"area": AREA, "age": RANDOM.uniform(0, 50, 60), "city": ["Bonn", "Rome"] * 30}
)
HOUSES["price"] = 3 * HOUSES["age"] + 100
IMAGES = RANDOM.integers(0, 256, (80, 6, 6, 1)).astype("uint8")
LOGITS = {"name": "sparse_categorical_crossentropy", "from_logits": True}


def spec(**keys: Any) -> dict[str, Any]:
    return {
        "model": "mlp",
        "optimizer": "adam",
        "epochs": 2,
        "batch_size": 16,
        "save": "last",
    } | keys


def outputs(run: Path, examples: Any) -> Any:
    """Return the outputs of a kept model by its own preprocessing."""
    saved = load_saved_model(run)
    return model_outputs(saved, encode_examples(saved, examples)[0])


@pytest.mark.parametrize(
    "kind", ["keras", "savedmodel", pytest.param("onnx", marks=pytest.mark.exports)]
)
def test_images_are_bytes(kind: str, tmp_path: Path) -> None:
    """The outputs are probabilities, also of a model of logits."""
    layers = ["Flatten", {"Dense": {"units": 3}}]
    data = {"x": IMAGES, "y": RANDOM.integers(0, 3, 80)}
    result = kb.run(spec(data=data, model={"layers": layers}, loss=LOGITS), results=tmp_path)
    place = tmp_path / f"model.{kind}"
    export_model(load_saved_model(result.directory), kind, place)
    if kind == "keras":
        served = keras.saving.load_model(place)(IMAGES)
    elif kind == "onnx":
        session = importlib.import_module("onnxruntime").InferenceSession(place)
        (served,) = session.run(None, {session.get_inputs()[0].name: IMAGES})
    else:
        loaded = tf.saved_model.load(str(place))
        served = loaded.serve(IMAGES)
    expected = outputs(result.directory, IMAGES)
    np.testing.assert_allclose(np.asarray(served), expected, atol=1e-5)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)


def test_a_table_has_an_input_for_each_column(tmp_path: Path) -> None:
    """Words, a gap, and a target in its own units."""
    data = {"x": HOUSES.drop(columns="price"), "y": HOUSES["price"], "missing": "mean"}
    data["standardize_target"] = True
    result = kb.run(spec(data=data, loss="mse"), results=tmp_path)
    saved = load_saved_model(result.directory)
    with pytest.raises(kb.SpecError, match="ONNX cannot look up the words"):
        export_model(saved, "onnx", tmp_path / "houses.onnx")
    export_model(saved, "keras", tmp_path / "houses.keras")
    model = keras.saving.load_model(tmp_path / "houses.keras")
    inputs = {
        "area": tf.constant(HOUSES[["area"]].to_numpy(np.float32)),
        "age": tf.constant(HOUSES[["age"]].to_numpy(np.float32)),
        "city": tf.constant(HOUSES[["city"]].to_numpy(str)),
    }
    expected = outputs(result.directory, HOUSES.drop(columns="price"))
    np.testing.assert_allclose(np.asarray(model(inputs)), expected, rtol=1e-4)


def test_faults(tmp_path: Path, small: dict[str, Any]) -> None:
    result = kb.run(small | {"save": "last"}, results=tmp_path)
    saved = load_saved_model(result.directory)
    with pytest.raises(kb.SpecError, match=r"must end in \.keras"):
        export_model(saved, "keras", tmp_path / "model.h5")
    (tmp_path / "there.keras").touch()
    with pytest.raises(kb.SpecError, match="is there already"):
        export_model(saved, "keras", tmp_path / "there.keras")


def test_onnx_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    data = {"x": IMAGES, "y": RANDOM.integers(0, 3, 80)}
    layers = ["Flatten", {"Dense": {"units": 3}}]
    keys = {"data": data, "model": {"layers": layers}, "loss": LOGITS}
    result = kb.run(spec(**keys), results=tmp_path)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(kb.SpecError, match=r"onnx needs tf2onnx; pip install 'kerasbatch\[onnx\]'"):
        export_model(load_saved_model(result.directory), "onnx", tmp_path / "model.onnx")
