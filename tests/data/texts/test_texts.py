"""Texts as numbers of words: those of Keras, fitted to the training part alone."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from own_support import load

import kerasbatch as kb

RANDOM = np.random.RandomState(0)
WORDS = ["the", "film", "was", "good", "bad", "Long,", "short!", "plot"]


def reviews(count: int = 40) -> list[str]:
    return [" ".join(RANDOM.choice(WORDS, 6)) for _ in range(count)]


def spec(folder: Path, texts: list[str], **keys: Any) -> dict[str, Any]:
    lines = [f'{n},"{text}",{n % 2},{n * 0.5}' for n, text in enumerate(texts)]
    text = "\n".join(["id,review,label,score", *lines])
    (folder / "reviews.csv").write_text(text, encoding="utf-8")
    text_keys = {"column": "review", "words": 20, "length": 8}
    return {
        "data": {"csv": "reviews.csv", "target": "label", "exclude": ["id"], "text": text_keys},
        "model": {"layers": [{"Embedding": {"input_dim": 20, "output_dim": 4}}, "Flatten"]},
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "epochs": 1,
        "batch_size": 4,
        "validation": {"last": 0.25},
    } | keys


def alone(keys: dict[str, Any]) -> dict[str, Any]:
    return keys | {"data": keys["data"] | {"exclude": ["id", "score"]}}


def test_the_numbers_are_those_of_keras(tmp_path: Path) -> None:
    texts = reviews()
    loaded = load(tmp_path, alone(spec(tmp_path, texts)))
    layer = keras.layers.TextVectorization(max_tokens=20, output_sequence_length=8)
    layer.adapt(texts[:30])
    np.testing.assert_array_equal(loaded.x_train, np.asarray(layer(texts[:30])))
    np.testing.assert_array_equal(loaded.x_val, np.asarray(layer(texts[30:])))
    assert list(loaded.preprocessing["vocabulary"]) == layer.get_vocabulary()


def test_validation_changes_nothing_that_is_fitted(tmp_path: Path) -> None:
    texts = reviews()
    before = load(tmp_path, alone(spec(tmp_path, texts)))
    others = texts[:30] + ["never seen words " * 3] * 10
    after = load(tmp_path, alone(spec(tmp_path, others)))
    assert before.preprocessing == after.preprocessing
    np.testing.assert_array_equal(before.x_train, after.x_train)
    assert isinstance(after.x_val, np.ndarray)
    assert set(np.unique(after.x_val)) == {1}  # unknown words
    assert before.fingerprint != after.fingerprint


def test_text_beside_other_columns_is_an_input_of_its_own(tmp_path: Path) -> None:
    loaded = load(tmp_path, spec(tmp_path, reviews()))
    assert isinstance(loaded.x_train, dict)
    assert loaded.input_shape == {"text": (8,), "table": (1,)}
    assert abs(float(loaded.x_train["table"].mean())) < 1e-6
    with pytest.raises(kb.SpecError, match=r"several inputs, text of shape \(8,\) and table"):
        run(tmp_path, spec(tmp_path, reviews()))


MODEL = """
import keras
def build(input_shape, classes):
    text = keras.Input(input_shape["text"], name="text", dtype="int32")
    table = keras.Input(input_shape["table"], name="table")
    words = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(text))
    both = keras.layers.Concatenate()([words, table])
    outputs = keras.layers.Dense(classes, "softmax")(both)
    return keras.Model({"text": text, "table": table}, outputs)
"""


@pytest.mark.parametrize("sizes", [4, pytest.param([4, 8], marks=pytest.mark.slow)])
def test_a_model_of_two_inputs_is_trained_and_predicts(tmp_path: Path, sizes: Any) -> None:
    (tmp_path / "mine.py").write_text(MODEL, encoding="utf-8")
    keys = spec(tmp_path, reviews(), model={"python": "mine.py:build"}, save="last")
    sweep = {"sweep": {"batch_size": sizes}} if isinstance(sizes, list) else {}
    results = run(tmp_path, keys | sweep)
    for result in results:
        assert result.row["step_check"] == "ok"
    saved = results[0]
    frame = pd.read_csv(tmp_path / "reviews.csv")
    assert set(saved.predict(frame, trust=True)) <= {0, 1}


def run(folder: Path, keys: dict[str, Any], jobs: int = 1) -> list[kb.Result]:
    import yaml

    (folder / "s.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    return kb.run_all(folder / "s.yaml", results=folder / "results", jobs=jobs, trust=True)


def test_an_embedding_must_have_a_row_for_each_word(tmp_path: Path) -> None:
    keys = alone(spec(tmp_path, reviews()))
    layers = [{"Embedding": {"input_dim": 5, "output_dim": 4}}, "Flatten"]
    keys["model"] = {"layers": [*layers, {"Dense": {"units": 2, "activation": "softmax"}}]}
    with pytest.raises(kb.SpecError, match="the Embedding has 5 rows; write input_dim: 10"):
        run(tmp_path, keys)


def files(folder: Path, counts: dict[str, int]) -> Path:
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number, text in enumerate(reviews(count)):
            (folder / label / f"{number}.txt").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_of_text_files(tmp_path: Path) -> None:
    folder = files(tmp_path / "texts", {"neg": 6, "pos": 6})
    keys = alone(spec(tmp_path, reviews()))
    keys |= {"data": {"texts": "texts", "words": 20, "length": 8}, "validation": "none"}
    loaded = load(tmp_path, keys)
    assert loaded.input_shape == (8,)
    assert loaded.y_train.tolist() == [0] * 6 + [1] * 6
    assert loaded.preprocessing["labels"] == ("neg", "pos")
    (folder / "neg" / "x.txt").write_bytes(b"caf\xe9")
    with pytest.raises(kb.SpecError, match=r"neg/x\.txt is no text in UTF-8 \(byte 3\)"):
        load(tmp_path, keys)


def test_no_text_is_no_column(tmp_path: Path) -> None:
    keys = spec(tmp_path, reviews())
    keys["data"]["text"]["column"] = "revew"
    with pytest.raises(kb.SpecError, match="no column 'revew'; did you mean review"):
        load(tmp_path, keys)


def test_text_files_are_predicted(tmp_path: Path) -> None:
    from kerasbatch.inference.predict import predict_texts
    from kerasbatch.inference.saved_model import load_saved_model

    folder = files(tmp_path / "texts", {"neg": 6, "pos": 6})
    (folder / "neg" / "0.txt").write_text(" ", encoding="utf-8")
    keys = alone(spec(tmp_path, reviews()))
    layers = [*keys["model"]["layers"], {"Dense": {"units": 2, "activation": "softmax"}}]
    keys |= {"data": {"texts": "texts", "words": 20, "length": 8}, "save": "last"}
    keys |= {"model": {"layers": layers}, "validation": "none"}
    (result,) = run(tmp_path, keys)
    assert "1 of 12 texts for train are empty" in str(result.record["notice"])
    saved = load_saved_model(result.directory)
    table = predict_texts(saved, [folder / "pos", folder / "neg" / "1.txt"])
    assert len(table) == 7
    assert set(table["prediction"]) <= {"neg", "pos"}
    texts = [Path(name).read_text(encoding="utf-8") for name in table["file"]]
    assert result.predict(texts).tolist() == table["prediction"].tolist()
    with pytest.raises(kb.SpecError, match="must be texts"):
        result.predict(np.zeros((3, 2)))
    frame = pd.DataFrame({"text": texts})
    with pytest.raises(kb.SpecError, match="was trained on text files"):
        result.predict(frame)
