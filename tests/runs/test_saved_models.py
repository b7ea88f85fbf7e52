"""The models that runs keep: which they are, how they come back, and what may not come back."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from run_support import LINE, run

import kerasbatch as kb
from kerasbatch.records import record_file
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.runs import kept_models, saved_model

IRIS: dict[str, Any] = {
    "data": "iris",
    "model": {"layers": [{"Dense": {"units": 3, "activation": "softmax"}}]},
    "optimizer": {"name": "adam", "learning_rate": 0.05},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 6,
    "batch_size": 16,
}
ANIMALS = "legs,skin,weight,kind\n" + "".join(
    f"{legs},{skin},{i % 5},{kind}\n"
    for i in range(20)
    for legs, skin, kind in ((4, "fur", "cat"), (2, "feather", "hen"), (6, "shell", "ant"))
)
TABLE = IRIS | {"data": {"csv": "t.csv", "target": "kind"}, "epochs": 40, "save": "best"}


def _run_table(folder: Path, **changed: Any) -> kb.Result:
    (folder / "t.csv").write_text(ANIMALS, encoding="utf-8")
    (folder / "s.yaml").write_text(dump_yaml(TABLE | changed), encoding="utf-8")
    return kb.run(folder / "s.yaml", results=folder / "r")


def test_nothing_is_kept_unless_asked_for(tmp_path: Path) -> None:
    """Sweeps are many; and the name of a run does not depend on it."""
    plain = run(IRIS, tmp_path)
    kept = run(IRIS | {"save": ["last", "best"]}, tmp_path / "other")
    assert plain.directory.name == kept.directory.name
    assert not list(plain.directory.glob("*.keras"))
    assert sorted(file.name for file in kept.directory.glob("*.keras")) == [
        "best.keras",
        "model.keras",
    ]
    with pytest.raises(kb.SpecError, match=r"this run kept no model; write save: best"):
        plain.model()


def test_the_last_model_is_that_of_the_last_row(tmp_path: Path) -> None:
    """Loaded, it measures what the history says, and goes on training from there."""
    result = run(IRIS | {"save": "last", "validation": "none"}, tmp_path)
    model = kb.load_model(result.directory)
    data = _iris(result)
    measured = model.evaluate(*data, verbose=0, return_dict=True)
    assert measured["loss"] == pytest.approx(result.history["train_loss"].iloc[-1], rel=1e-4)
    assert int(model.optimizer.iterations.numpy()) == result.row["observed_steps"]


def test_the_best_model_is_that_of_the_best_row(tmp_path: Path) -> None:
    """By the target's metric, or else the loss; here a rate so large that the last is not best."""
    spec = IRIS | {"save": ["last", "best"], "validation": "none", "epochs": 6, "batch_size": 4}
    result = run(spec | {"optimizer": {"name": "sgd", "learning_rate": 2.0}}, tmp_path)
    losses = result.history["train_loss"][1:]  # the sixth epoch is worse than the fifth
    assert losses.min() < losses.iloc[-1]
    best = result.model("best").evaluate(*_iris(result), verbose=0, return_dict=True)
    last = result.model("last").evaluate(*_iris(result), verbose=0, return_dict=True)
    assert best["loss"] == pytest.approx(losses.min(), rel=1e-4)
    assert last["loss"] == pytest.approx(losses.iloc[-1], rel=1e-4)
    assert (
        result.model().get_weights()[0].tolist() == result.model("best").get_weights()[0].tolist()
    )


def _iris(result: kb.Result) -> tuple[Any, Any]:
    """Return the examples as the model got them."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    made = saved_model.load(result.directory).preprocessing
    return made.x(x).astype(np.float32), y


def test_a_finished_run_without_a_model_is_trained_again(tmp_path: Path) -> None:
    """When save asks for one; and says so. With its model it is found finished."""

    class Notices(kb.Watcher):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def notice(self, message: str) -> None:
            self.heard.append(message)

    watcher = Notices()
    run(IRIS, tmp_path)
    again = run(IRIS | {"save": "best"}, tmp_path, watcher=watcher)
    assert not again.reused
    assert "has no best.keras, which save asks for now" in watcher.heard[0]
    assert run(IRIS | {"save": "best"}, tmp_path).reused
    assert run(IRIS, tmp_path).reused


def test_labels_come_back_as_text(tmp_path: Path) -> None:
    """From a DataFrame with its columns in any order, and others beside them."""
    result = _run_table(tmp_path)
    rows = pd.read_csv(tmp_path / "t.csv")
    shuffled = rows.drop(columns="kind")[["weight", "skin", "legs"]].assign(extra="z")
    predicted = result.predict(shuffled)
    assert predicted.tolist() == rows["kind"].tolist()


def test_predictions_are_those_of_keras(tmp_path: Path) -> None:
    """The .keras file, loaded by Keras alone, gives the same numbers for rows encoded by hand."""
    result = _run_table(tmp_path, save=["last", "best"])
    alone = keras.models.load_model(result.directory / "best.keras")
    rows = pd.read_csv(tmp_path / "t.csv")
    facts = json.loads((result.directory / "preprocessing.json").read_text())["preprocessing"]
    numbers = rows[["legs", "weight"]].to_numpy(dtype=np.float64)
    scaled = (numbers - facts["standard"]["mean"]) / facts["standard"]["deviation"]
    words = [(rows["skin"] == word).to_numpy() for word in facts["words"]["skin"]]
    x = np.column_stack([scaled, *words]).astype(np.float32)
    by_keras = alone.predict(x, verbose=0)
    assert facts["labels"] == ["ant", "cat", "hen"]
    assert result.predict(rows).tolist() == [facts["labels"][i] for i in by_keras.argmax(axis=1)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"legs": [4], "skin": ["fur"]}, "x: the file has no column 'weight'"),
        ({"legs": [4], "skn": ["fur"], "weight": [1]}, "no column 'skin'; did you mean skn"),
        ({"legs": [np.nan], "skin": ["fur"], "weight": [1]}, "an empty cell in row 0 .* without"),
        ({"legs": [np.inf], "skin": ["fur"], "weight": [1]}, "'legs' has no number in row 0"),
        ({"legs": ["4 or so"], "skin": ["fur"], "weight": [1]}, "'legs' has no number in row 0"),
    ],
)
def test_rows_that_do_not_fit(tmp_path: Path, rows: dict[str, Any], words: str) -> None:
    """Columns by name, cells by row."""
    result = _run_table(tmp_path, epochs=1)
    with pytest.raises(kb.SpecError, match=words):
        result.predict(pd.DataFrame(rows))


def test_words_that_training_did_not_see(tmp_path: Path) -> None:
    """They count as none, with a warning."""
    result = _run_table(tmp_path, epochs=1)
    with pytest.warns(UserWarning, match="1 row of column skin hold words that training did not"):
        result.predict(pd.DataFrame({"legs": [4], "skin": ["silk"], "weight": [1]}))
    with pytest.raises(kb.SpecError, match="trained on columns of text; give a DataFrame"):
        result.predict(np.ones((2, 3)))


def test_images_are_scaled_as_in_training(tmp_path: Path) -> None:
    """Arrays come as the data had them."""
    from sklearn.datasets import load_digits

    spec = IRIS | {"data": "digits", "model": "mlp", "epochs": 4, "save": "last"}
    result = run(spec, tmp_path)
    digits = load_digits()
    right = (result.predict(digits.images) == digits.target).mean()
    assert right > 0.95
    with pytest.raises(kb.SpecError, match=r"found type float64 and shape \(1797, 64\); must be"):
        result.predict(digits.data)


def test_a_changed_model_is_not_loaded(tmp_path: Path) -> None:
    """One flipped bit; h5 files load such without a word."""
    result = _run_table(tmp_path, epochs=1)
    for name in ("best.keras", "preprocessing.json"):
        file = result.directory / name
        whole = file.read_bytes()
        middle = len(whole) // 2
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(kb.SpecError, match=f"its {name} does not match its checksum"):
            result.model()
        file.write_bytes(whole)
    assert result.model()
    with pytest.raises(kb.SpecError, match="holds no run"):
        kb.load_model(tmp_path)
    with pytest.raises(kb.SpecError, match="kept no last model, only the best one"):
        result.model("last")


def test_a_model_of_ones_own_needs_trust_and_the_same_code(tmp_path: Path) -> None:
    """A record from a stranger may be whole and its code evil."""
    code = (
        "import keras\n"
        "class Twice(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return 2 * x\n"
        "def build(shape, classes):\n"
        "    i = keras.Input(shape)\n"
        "    return keras.Model(i, keras.layers.Dense(3, 'softmax')(Twice()(i)))\n"
    )
    (tmp_path / "m.py").write_text(code, encoding="utf-8")
    spec = IRIS | {"model": {"python": "m.py:build"}, "save": "last", "epochs": 1}
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "r", trust=True)
    with pytest.raises(kb.SpecError, match="runs Python code; add --trust"):
        result.model()
    assert result.predict(np.ones((2, 4)), trust=True).shape == (2,)
    (tmp_path / "m.py").write_text(code.replace("2 * x", "3 * x"), encoding="utf-8")
    with pytest.raises(kb.SpecError, match=r"m.py has changed since this run was trained"):
        result.model(trust=True)


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    """Also where the record vouches for it."""
    result = run(IRIS | {"save": "last"}, tmp_path)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(7)])
    other.compile("adam", "mse")
    (result.directory / "model.keras").write_bytes(kept_models.content(other))
    record = dict(record_file.read(result.directory).record or {})
    record_file.write(result.directory, record)
    assert RunDirectory(result.directory).is_finished()
    with pytest.raises(kb.SpecError, match=r"its model.keras does not fit the model of its spec"):
        result.model()


def test_the_notes_own_loss_and_a_warm_up_are_saved(tmp_path: Path) -> None:
    """What Keras does not know by itself; and weights by a path of their own."""
    spec = LINE | {"save": ["last", "best"], "optimizer": "sgd"}
    spec |= {"learning_rate_rule": {"warmup": {"steps": 3}}}
    result = run(spec, tmp_path)
    kernel = result.weights["dense/kernel[0,0]"].iloc[-1]
    assert float(result.model("last").get_weights()[0][0, 0]) == pytest.approx(kernel)
    assert keras.models.load_model(result.directory / "model.keras").loss is not None


def test_a_sweep_keeps_the_model_of_every_run(tmp_path: Path) -> None:
    """Workers hand them over; this process writes them."""
    spec = IRIS | {"save": "best", "epochs": 2, "sweep": {"batch_size": [16, 32]}}
    results = kb.run_all(spec, results=tmp_path)
    assert [result.model().count_params() for result in results] == [15, 15]
    columns = (tmp_path / "experiment" / "runs.csv").read_text().splitlines()[0]
    assert "save" not in columns
