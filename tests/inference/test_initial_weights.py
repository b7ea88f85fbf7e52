"""Starting weights and frozen layers: two phases of a training."""

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.cli.app import app
from kerasbatch.inference.initial_weights import assign_initial_weights
from kerasbatch.models.freeze import freeze
from kerasbatch.records.files import dump_yaml

LAYERS = [
    {"Dense": {"units": 8, "activation": "relu", "name": "base"}},
    "BatchNormalization",
    {"Dense": {"units": 3, "activation": "softmax", "name": "head"}},
]


def spec(**keys: Any) -> dict[str, Any]:
    return {
        "data": "iris",
        "model": {"layers": LAYERS},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "loss": "sparse_categorical_crossentropy",
        "epochs": 2,
        "batch_size": 16,
        "save": "last",
        **keys,
    }


@pytest.fixture
def first(tmp_path: Path) -> kb.Result:
    return kb.run(spec(name="head"), results=tmp_path)


def first_loss(result: kb.Result) -> float:
    lines = (result.directory / "history.csv").read_text(encoding="utf-8").splitlines()
    return float(dict(zip(lines[0].split(","), lines[1].split(","), strict=True))["val_loss"])


@pytest.mark.parametrize(
    "weights",
    [
        lambda run: str(run.directory),
        lambda run: str(run.directory / "model.keras"),
        lambda run: {"experiment": "head", "run": "best"},
        lambda run: {"experiment": "head", "run": run.directory.name, "which": "last"},
    ],
)
def test_the_second_phase_begins_where_the_first_ended(
    first: kb.Result, tmp_path: Path, weights: Any
) -> None:
    second = kb.run(
        spec(name="all", seed=7), initial_weights=weights(first), results=tmp_path, trust=True
    )
    assert first_loss(second) == pytest.approx(first.row["val_loss"], rel=1e-6)
    record = json.loads((second.directory / "record.json").read_text(encoding="utf-8"))
    known = json.loads((first.directory / "record.json").read_text(encoding="utf-8"))
    assert record["initial_weights"]["sha256"] == known["files"]["model.keras"]
    other = kb.run(spec(name="all", seed=7), results=tmp_path)
    assert other.directory != second.directory


def test_new_weights_are_another_run(first: kb.Result, tmp_path: Path) -> None:
    file = tmp_path / "w" / "start.keras"
    file.parent.mkdir()
    shutil.copy(first.directory / "model.keras", file)
    keys = {"initial_weights": str(file), "results": tmp_path, "trust": True}
    once, again = (kb.run(spec(name="all"), **keys) for _ in range(2))
    assert once.directory == again.directory
    longer = kb.run(spec(name="head", epochs=3), results=tmp_path)
    shutil.copy(longer.directory / "model.keras", file)
    assert kb.run(spec(name="all"), **keys).directory != once.directory


@pytest.mark.slow
def test_workers_begin_with_them_too(first: kb.Result, tmp_path: Path) -> None:
    results = kb.sweep(
        spec(name="all", sweep={"seed": [0, 1]}, initial_weights={"experiment": "head"}),
        results=tmp_path,
        jobs=2,
    )
    for result in results:
        assert first_loss(result) == pytest.approx(first.row["val_loss"], rel=1e-6)


def test_frozen_layers_stay(first: kb.Result, tmp_path: Path) -> None:
    """Also the averages of a frozen BatchNormalization."""
    second = kb.run(
        spec(name="frozen"),
        initial_weights={"experiment": "head"},
        freeze=["base", "batch_*"],
        results=tmp_path,
    )
    before, after = (run.model().get_weights() for run in (first, second))
    for old, new in zip(before, after, strict=True):
        is_head = old.shape in ((8, 3), (3,))
        assert np.array_equal(old, new) != is_head
    assert second.row["step_check"] == "ok"


def test_names_that_keras_makes_are_counted_anew(tmp_path: Path) -> None:
    """A model that is built later has dense_7 where the file has dense."""

    def build() -> keras.Model:
        layers = [keras.layers.Dense(3), keras.layers.Dense(3, name="own"), keras.layers.Dense(3)]
        return keras.Sequential([keras.Input((3,)), *layers])

    old, new = build(), build()
    assert old.layers[0].name != new.layers[0].name
    old.save_weights(tmp_path / "a.weights.h5")
    assign_initial_weights(new, tmp_path / "a.weights.h5")
    for one, other in zip(old.get_weights(), new.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_base_inside_a_model_and_a_new_head(tmp_path: Path) -> None:
    def build(classes: int) -> keras.Model:
        base = keras.Sequential(
            [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()], name="base"
        )
        inputs = keras.Input((8, 8, 1))
        outputs = keras.layers.Dense(classes, name="head")(base(inputs))
        return keras.Model(inputs, outputs)

    old, new = build(3), build(5)
    old.save(tmp_path / "old.keras")
    drawn = new.layers[-1].get_weights()[0]
    with pytest.raises(kb.SpecError, match="head has weights of 72 x 5 and 5, and old"):
        assign_initial_weights(new, tmp_path / "old.keras")
    assign_initial_weights(new, tmp_path / "old.keras", ["head"])
    np.testing.assert_array_equal(new.layers[1].get_weights()[0], old.layers[1].get_weights()[0])
    np.testing.assert_array_equal(new.layers[-1].get_weights()[0], drawn)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"initial_weights": "nowhere.keras"}, "there is no file or folder nowhere.keras"),
        ({"initial_weights": "notes.txt"}, "must be a .keras or .weights.h5 file"),
        ({"initial_weights": "bad.keras"}, "holds no weights of Keras"),
        ({"initial_weights": {"experiment": "none"}}, "run the experiment none first"),
        ({"initial_weights": {"experiment": "../x"}}, "must be the name of an experiment"),
        ({"initial_weights": {"experiment": "head", "run": "worst"}}, "no run worst"),
        ({"initial_weights": {"experiment": "head", "which": "best"}}, "kept no best model"),
        (
            {"initial_weights": {"experiment": "head", "skip": ["foot"]}},
            "the model has no layer foot with weights",
        ),
        ({"freeze": ["dense_9"]}, "the model has no layer dense_9"),
        ({"freeze": ["*"]}, "no weight is left to train"),
        ({"freeze": []}, "must be a list of layers"),
    ],
)
def test_faults(
    first: kb.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("no weights", encoding="utf-8")
    Path("bad.keras").write_bytes(b"no weights")
    with pytest.raises(kb.SpecError, match=message):
        kb.run(spec(name="all", **keys), results=tmp_path)
    assert not (tmp_path / "all").exists()


def test_skipped_layers_stay_as_they_are_drawn(first: kb.Result, tmp_path: Path) -> None:
    """Also where the file has weights of the same shapes."""
    weights = {"experiment": "head", "skip": ["head"]}
    drawn, begun = (
        kb.run(spec(name="all", epochs=1, seed=4), results=tmp_path, **keys)
        for keys in ({}, {"initial_weights": weights, "freeze": ["base", "batch_*"]})
    )
    assert begun.directory != drawn.directory
    assert first_loss(begun) != pytest.approx(first.row["val_loss"])


def test_lists_of_layers_keep_their_names(tmp_path: Path) -> None:
    class Pair(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = [keras.layers.Dense(3), keras.layers.Dense(3)]
            self.decoder = [keras.layers.Dense(3), keras.layers.Dense(3)]

        def call(self, x: Any) -> Any:
            for layer in (*self.encoder, *self.decoder):
                x = layer(x)
            return x

    old, new = Pair(), Pair()
    for model in (old, new):
        model(np.zeros((1, 3), "float32"))
    old.save_weights(tmp_path / "a.weights.h5")
    assign_initial_weights(new, tmp_path / "a.weights.h5")
    for one, other in zip(old.get_weights(), new.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_equal_names_in_two_parts_are_both_frozen() -> None:
    def part(name: str) -> keras.Model:
        inner = keras.layers.Dense(3, name="inner")
        return keras.Sequential([keras.Input((3,)), inner], name=name)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(part("b")(part("a")(inputs))))
    freeze(model, ["inner"])
    assert len(model.trainable_weights) == 2


def test_the_same_command_again(first: kb.Result, tmp_path: Path) -> None:
    """It finds the results without TensorFlow, in the folder of the command."""
    text = dump_yaml(spec(name="all", initial_weights={"experiment": "head"}))
    (tmp_path / "all.yaml").write_text(text, encoding="utf-8")
    options = ["run", str(tmp_path / "all.yaml"), "--results", str(tmp_path)]
    for _ in range(2):
        result = CliRunner().invoke(app, options, catch_exceptions=False)
        assert result.exit_code == 0, result.output


def test_weights_elsewhere_need_trust(first: kb.Result, tmp_path: Path) -> None:
    with pytest.raises(kb.SpecError, match="lies outside the spec's folder"):
        kb.run(
            spec(name="all"),
            initial_weights=str(first.directory),
            results=tmp_path / "elsewhere",
        )


def test_links_in_a_file_of_weights_are_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5", "r+") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "x")
    with pytest.raises(kb.SpecError, match="has a link in place of"):
        assign_initial_weights(model, tmp_path / "a.weights.h5")
