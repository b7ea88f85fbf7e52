"""Datasets that are trained on as they come: the same numbers, and what cannot be proved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import kerasbatch as kb

HEAD = """
import numpy as np
R = np.random.RandomState(0)
X = R.normal(size=(90, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
def parts():
    return {"train": lambda: zip(X[:70], Y[:70]), "validation": lambda: zip(X[70:], Y[70:])}
def weighted():
    return lambda: zip(X, Y, np.linspace(0.5, 2, 90, dtype="float32"))
def arrays():
    return (X[:70], Y[:70]), (X[70:], Y[70:])
def tfdata():
    import tensorflow as tf
    return {
        "train": tf.data.Dataset.from_tensor_slices((X[:70], Y[:70])),
        "val": tf.data.Dataset.from_tensor_slices((X[70:], Y[70:])),
    }
def named():
    return lambda: (({"a": x, "b": x[:2]}, y) for x, y in zip(X, Y))
def build(input_shape, classes):
    import keras
    inputs = {name: keras.Input(shape, name=name) for name, shape in input_shape.items()}
    both = keras.layers.Concatenate()(list(inputs.values()))
    return keras.Model(inputs, keras.layers.Dense(classes, "softmax")(both))
"""


def spec(data: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "data": data,
        "model": {"layers": [{"Dense": {"units": 2, "activation": "softmax"}}]},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 3,
        "batch_size": 8,
        **keys,
    }


def run(folder: Path, keys: dict[str, Any], body: str = "", **options: Any) -> list[kb.Result]:
    (folder / "mine.py").write_text(HEAD + body, encoding="utf-8")
    (folder / "s.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    return kb.run_all(folder / "s.yaml", results=folder / "results", trust=True, **options)


@pytest.mark.parametrize("engine", ["fused", "keras"])
@pytest.mark.parametrize("function", ["parts", "tfdata"])
def test_the_numbers_are_those_of_arrays(tmp_path: Path, engine: str, function: str) -> None:
    """In the order of the dataset."""
    streamed = spec({"dataset": f"mine.py:{function}", "stream": True, "examples": 70})
    (mine,) = run(tmp_path, streamed | {"engine": engine})
    arrays = spec({"python": "mine.py:arrays", "standardize": False}, sampling="sequential")
    (theirs,) = run(tmp_path, arrays)
    assert mine.row["step_check"] == "ok"
    assert mine.row["engine"] == engine
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(mine.history[name], theirs.history[name], rtol=1e-5)
    assert mine.row["train_examples"] == 70
    assert mine.row["observed_steps"] == 27


def test_weights_and_parts_of_epochs(tmp_path: Path) -> None:
    """A budget may end inside an epoch, and evaluations may come between."""
    data = {"dataset": "mine.py:weighted", "stream": True, "examples": 90}
    keys = spec(data, validation="none", steps=20, evaluate_every={"steps": 7})
    del keys["epochs"]
    (result,) = run(tmp_path, keys)
    assert result.row["step_check"] == "ok"
    assert result.history["step"].tolist() == [0, 7, 14, 20]
    assert "train_loss" in result.history


@pytest.mark.slow
def test_workers_stream_too(tmp_path: Path) -> None:
    keys = spec({"dataset": "mine.py:tfdata", "stream": True}, sweep={"batch_size": [8, 70]})
    results = run(tmp_path, keys, jobs=2)
    assert [result.row["step_check"] for result in results] == ["ok", "ok"]


def test_several_inputs(tmp_path: Path) -> None:
    data = {"dataset": "mine.py:named", "stream": True, "examples": 90}
    keys = spec(data, validation="none", model={"python": "mine.py:build"})
    (result,) = run(tmp_path, keys)
    assert result.row["step_check"] == "ok"


def test_random_examples_stay_random(tmp_path: Path) -> None:
    """Every epoch reads the dataset anew."""
    body = """
def counted():
    passes = []
    def examples():
        passes.append(1)
        for x, y in zip(X, Y):
            yield x + len(passes), y
    return examples
"""
    data = {"dataset": "mine.py:counted", "stream": True, "examples": 90}
    (result,) = run(tmp_path, spec(data, validation="none"), body)
    assert result.row["step_check"] == "ok"


@pytest.mark.parametrize("engine", ["fused", "keras"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "def bad():\n    n = []\n    def examples():\n        n.append(1)\n"
            "        yield from zip(X[:90 - 5 * len(n)], Y)\n    return examples\n",
            "the dataset ended after",
        ),
        (
            "def bad():\n    n = []\n    def examples():\n        n.append(1)\n"
            "        for x, y in zip(X, Y):\n            yield x[:4 - (len(n) > 2)], y\n"
            "    return examples\n",
            "x of shape (3,)",
        ),
        (
            "def bad():\n    return lambda: zip(np.repeat(X, 4, 0), [0, 1] * 150 + [7] * 60)\n",
            "a label is 7, and the first examples have 2 classes",
        ),
        (
            "def bad():\n    n = []\n    def examples():\n        n.append(1)\n"
            "        for x, y in zip(X, Y):\n            if len(n) > 2:\n"
            "                raise OSError('the disk is on fire')\n            yield x, y\n"
            "    return examples\n",
            "the disk is on fire",
        ),
    ],
)
def test_epochs_that_differ_fail(tmp_path: Path, engine: str, body: str, words: str) -> None:
    count = 360 if "repeat" in body else 80
    data = {"dataset": "mine.py:bad", "stream": True, "examples": count}
    (result,) = run(tmp_path, spec(data, validation="none", engine=engine, epochs=5), body)
    assert result.status == "failed"
    assert words in f"{result.message} {result.record['error']}"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"data": {"dataset": "mine.py:weighted", "stream": True}}, "nobody knows its length"),
        ({"validation": {"fraction": 0.2}}, "a stream is not divided"),
        ({"data": {"cache": True}}, "does not go with a stream"),
        ({"data": {"train_examples": 5}}, "does not go with a stream"),
        ({"sampling": "replacement"}, "a stream has its own order"),
        ({"record": ["noise"]}, "the noise needs all examples"),
        ({"class_weight": "balanced"}, "yield \\(x, y, weight\\) instead"),
        ({"data": {"labels": [1, 0]}}, "a stream needs labels 0, 1, 2"),
    ],
)
def test_keys_that_do_not_fit(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    data = {"dataset": "mine.py:parts", "stream": True, "examples": 70}
    plain = spec(data | keys.pop("data", {}), **keys)
    if plain["data"]["dataset"] == "mine.py:weighted":
        del plain["data"]["examples"]
    with pytest.raises(kb.SpecError, match=words):
        run(tmp_path, plain)


def test_the_code_is_part_of_the_name(tmp_path: Path) -> None:
    """The examples cannot be: they may differ from pass to pass."""
    keys = spec({"dataset": "mine.py:tfdata", "stream": True})
    names = {run(tmp_path, keys, body)[0].directory.name for body in ("", "", "# other\n")}
    assert len(names) == 2
