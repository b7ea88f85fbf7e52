"""The models that runs keep: which they are, how they come back, and what may not come back."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from run_support import run
from small_specs import LINE, SMALL

import kerasbatch as kb
from kerasbatch.inference import encode, predict, saved_model
from kerasbatch.models.serialization import keras_file_content
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.record import read_record, write_record
from kerasbatch.records.run_directory import RunDirectory

IRIS = SMALL | {"optimizer": {"name": "adam", "learning_rate": 0.05}, "epochs": 6}
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
    made = saved_model.load_saved_model(result.directory).preprocessing
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
        ({"legs": [4], "skin": ["fur"]}, "x: the DataFrame has no column 'weight'"),
        ({"legs": [4], "skn": ["fur"], "weight": [1]}, "no column 'skin'; did you mean skn"),
        ({"legs": [np.nan], "skin": ["fur"], "weight": [1]}, "an empty cell in row 0 .* without"),
        (
            {"legs": [np.inf], "skin": ["fur"], "weight": [1]},
            "'legs' holds numbers and, in 1 row, none",
        ),
        (
            {"legs": ["so 4"], "skin": ["fur"], "weight": [1]},
            "'legs' holds numbers and, in 1 row, none",
        ),
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
    with pytest.raises(kb.SpecError, match=r"m.py changed after this run was trained"):
        result.model(trust=True)


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    """Also where the record vouches for it."""
    result = run(IRIS | {"save": "last"}, tmp_path)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(7)])
    other.compile("adam", "mse")
    (result.directory / "model.keras").write_bytes(keras_file_content(other))
    record = dict(read_record(result.directory).record or {})
    write_record(result.directory, record)
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


@pytest.mark.slow
def test_a_sweep_keeps_the_model_of_every_run(tmp_path: Path) -> None:
    """Workers hand them over; this process writes them."""
    spec = IRIS | {"save": "best", "epochs": 2, "sweep": {"batch_size": [16, 32]}}
    results = kb.run_all(spec, results=tmp_path)
    assert [result.model().count_params() for result in results] == [15, 15]
    columns = (tmp_path / "experiment" / "runs.csv").read_text().splitlines()[0]
    assert "save" not in columns


def test_logits_are_told_as_probabilities(tmp_path: Path) -> None:
    """A loss may take logits; a person gets probabilities and the label that they mean."""
    (tmp_path / "t.csv").write_text(ANIMALS, encoding="utf-8")
    layers = {"layers": [{"Dense": {"units": 3}}]}
    loss = {"name": "sparse_categorical_crossentropy", "from_logits": True}
    result = _run_table(tmp_path, model=layers, loss=loss)
    kept = saved_model.load_saved_model(result.directory)
    table, notices = predict.predict_file(kept, tmp_path / "t.csv")
    assert not notices
    assert list(table) == ["prediction", "probability_ant", "probability_cat", "probability_hen"]
    np.testing.assert_allclose(table.iloc[:, 1:].sum(axis=1), 1, rtol=1e-5)


def test_a_single_logit_decides_at_zero(tmp_path: Path) -> None:
    """And not at a half."""
    rows = "a,y\n" + "".join(f"{i},{'hi' if i > 20 else 'lo'}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(rows, encoding="utf-8")
    spec = TABLE | {"data": {"csv": "t.csv", "target": "y"}, "batch_size": 8}
    spec |= {"model": {"layers": [{"Dense": {"units": 1}}]}}
    spec |= {"loss": {"name": "binary_crossentropy", "from_logits": True}, "metrics": []}
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "r")
    kept = saved_model.load_saved_model(result.directory)
    table, _ = predict.predict_file(kept, tmp_path / "t.csv")
    assert ((table["probability_lo"] > 0.5) == (table["prediction"] == "lo")).all()
    logits = kept.model.predict(encode.encode_examples(kept, pd.read_csv(tmp_path / "t.csv"))[0])
    assert ((logits[:, 0] > 0) == (table["prediction"] == "lo")).all()


def test_true_and_false_in_any_spelling(tmp_path: Path) -> None:
    """Pandas reads them as truth values, other programs write them in capitals."""
    flags = ("true", "false")
    rows = "a,flag,y\n" + "".join(f"{i % 7},{flags[i % 2]},{i % 2}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(rows, encoding="utf-8")
    spec = TABLE | {"data": {"csv": "t.csv", "target": "y"}, "epochs": 3}
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "r")
    read = pd.read_csv(tmp_path / "t.csv")
    assert read["flag"].dtype == bool
    expected = result.predict(read).tolist()
    for spelling in (str.upper, str.title):
        written = read.assign(flag=read["flag"].map(str).map(spelling))
        assert result.predict(written).tolist() == expected


def test_what_is_kept_stays_when_another_model_is_asked_for(tmp_path: Path) -> None:
    """A finished run is trained again for it, and keeps both."""
    run(IRIS | {"save": "best"}, tmp_path)
    again = run(IRIS | {"save": "last"}, tmp_path)
    assert {"best.keras", "model.keras"} <= {file.name for file in again.directory.iterdir()}


def test_a_fresh_result_is_what_a_later_command_finds(tmp_path: Path) -> None:
    """With the files that it has."""
    fresh = run(IRIS | {"save": "best"}, tmp_path)
    later = run(IRIS | {"save": "best"}, tmp_path)
    assert fresh.record["files"] == later.record["files"]
    assert fresh.record.keys() == later.record.keys()


def test_averages_are_kept_as_they_are_told(tmp_path: Path) -> None:
    """With use_ema the last row is that of the averages; the best model is one of the rows."""
    adam = {"name": "adam", "learning_rate": 0.3, "use_ema": True, "ema_momentum": 0.9}
    spec = IRIS | {"optimizer": adam, "save": ["last", "best"], "validation": "none", "epochs": 8}
    result = run(spec, tmp_path)
    measured = {
        which: result.model(which).evaluate(*_iris(result), verbose=0, return_dict=True)["loss"]
        for which in ("last", "best")
    }
    assert measured["last"] == pytest.approx(result.row["train_loss"], rel=1e-4)
    assert measured["best"] == pytest.approx(result.row["best_train_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((0, 4)), "there is no row to predict for"),
        ("t.csv", "found str; give a DataFrame or an array"),
        (np.full((1, 4), 1e300), "too large for float32"),
        (np.full((1, 4), np.nan), "row 0 holds a value that is not a finite number"),
        (pd.DataFrame(np.ones((1, 2)), columns=["a", "a"]), "DataFrame has no column"),
    ],
)
def test_what_cannot_be_predicted(tmp_path: Path, x: Any, words: str) -> None:
    """In words, before Keras sees it."""
    result = run(IRIS | {"save": "last", "epochs": 1, "data": {"name": "iris"}}, tmp_path)
    with pytest.raises(kb.SpecError, match=words):
        result.predict(x)


def test_images_that_were_scaled_already_are_refused(tmp_path: Path) -> None:
    """They would be scaled twice, and predicted wrongly without a word."""
    from sklearn.datasets import load_digits

    result = run(IRIS | {"data": "digits", "model": "mlp", "epochs": 1, "save": "last"}, tmp_path)
    with pytest.raises(kb.SpecError, match=r"all values lie in 0..1, and .* images of 0..16"):
        result.predict(load_digits().images / 16)


def test_files_of_a_run_must_be_its_own(tmp_path: Path) -> None:
    """A link could lead anywhere, and a record leave it out."""
    result = run(IRIS | {"save": "last"}, tmp_path)
    record = dict(read_record(result.directory).record or {})
    (tmp_path / "secret.yaml").write_text("secret: 1", encoding="utf-8")
    (result.directory / "spec.yaml").unlink()
    (result.directory / "spec.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(kb.SpecError, match=r"its spec.yaml is a link, which is not") as caught:
        result.model()
    assert "secret" not in str(caught.value)
    (result.directory / "spec.yaml").unlink()
    write_record(result.directory, record)
    with pytest.raises(kb.SpecError, match=r"its spec.yaml was not written by this run"):
        result.model()
    with pytest.raises(kb.SpecError, match=r"holds 1 run; give one of them: batch_size=16-"):
        kb.load_model(result.directory.parent)
    record.pop("row")
    write_record(result.directory, record)
    with pytest.raises(kb.SpecError, match=r"its record.json has an invalid row \(field"):
        result.model()
