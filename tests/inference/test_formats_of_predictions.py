"""New rows are read like those of training: marks, units, and numbers that are names."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasbatch as kb
from kerasbatch.inference.predict import predict_file
from kerasbatch.inference.saved_model import load_saved_model

KEYS: dict[str, Any] = {
    "model": {"layers": [{"Dense": {"units": 2, "activation": "softmax"}}]},
    "optimizer": {"name": "adam", "learning_rate": 0.1},
    "loss": "sparse_categorical_crossentropy",
    "epochs": 20,
    "batch_size": 8,
    "save": "last",
}


def trained(folder: Path, frame: pd.DataFrame, separator: str = ",", **data: Any) -> kb.Result:
    frame.to_csv(folder / "t.csv", index=False, sep=separator)
    keys = {"csv": str(folder / "t.csv"), "target": "y"} | data
    return kb.run({"data": keys} | KEYS, results=folder, trust=True)


def predictions(result: kb.Result, file: Path, text: str) -> list[Any]:
    file.write_text(text, encoding="utf-8")
    table, _ = predict_file(load_saved_model(result.directory), file)
    return table["prediction"].tolist()


def test_the_decimal_mark_of_training(tmp_path: Path) -> None:
    """1,037 between semicolons is 1.037 for a model that was trained on 3,5."""
    numbers = [number / 10 for number in range(60)]
    cells = [f"{number:.2f}".replace(".", ",") for number in numbers]
    frame = pd.DataFrame({"w": cells, "y": ["low" if n < 3 else "high" for n in numbers]})
    result = trained(tmp_path, frame, ";")
    text = "w;z\n1,037;0\n5,074;0\n"
    assert predictions(result, tmp_path / "new.csv", text) == ["low", "high"]
    assert result.predict(pd.DataFrame({"w": ["1,037", "5,074"]})).tolist() == ["low", "high"]
    assert result.predict(pd.DataFrame({"w": [1.037, 5.074]})).tolist() == ["low", "high"]


def test_another_unit_is_refused(tmp_path: Path) -> None:
    """In new rows, and in the file for validation; a plain number has that of training."""
    frame = pd.DataFrame({"d": [f"{n} km" for n in range(40)], "y": ["a", "b"] * 20})
    result = trained(tmp_path, frame)
    with pytest.raises(kb.SpecError, match="column 'd' is in m, and training had it in km"):
        predictions(result, tmp_path / "new.csv", "d\n300 m\n")
    with pytest.raises(kb.SpecError, match="is in m, and training"):
        result.predict(pd.DataFrame({"d": ["300 m"]}))
    assert len(predictions(result, tmp_path / "new.csv", "d\n12\n")) == 1
    frame.assign(d="5 m").to_csv(tmp_path / "v.csv", index=False)
    with pytest.raises(kb.SpecError, match="is in m, and training had it in km"):
        trained(tmp_path, frame, validation=str(tmp_path / "v.csv"))


def test_numbers_that_are_names(tmp_path: Path) -> None:
    """A zip code is the same word in text, in whole numbers and in floats."""
    zips = np.array([1234, 90210, 501] * 20)
    frame = pd.DataFrame({"zip": zips, "y": np.where(zips == 501, "yes", "no")})
    result = trained(tmp_path, frame, categorical=["zip"])
    for column in (frame["zip"], frame["zip"].astype(float), frame["zip"].astype(str)):
        assert (result.predict(pd.DataFrame({"zip": column})) == frame["y"]).all()


def test_whole_labels_come_back_as_whole_numbers(tmp_path: Path) -> None:
    """-1 and 1; but 01 and 02 as text."""
    x = np.linspace(-1, 1, 60)
    numbers = trained(tmp_path, pd.DataFrame({"x": x, "y": np.sign(x).astype(int)}))
    assert set(numbers.predict(pd.DataFrame({"x": [-0.9, 0.9]})).tolist()) == {-1, 1}
    texts = trained(tmp_path, pd.DataFrame({"x": x, "y": np.where(x > 0, "02", "01")}))
    assert set(texts.predict(pd.DataFrame({"x": [-0.9, 0.9]})).tolist()) == {"01", "02"}


def test_kept_columns_of_parquet_files(tmp_path: Path) -> None:
    """Ids keep every digit."""
    frame = pd.DataFrame({"x": np.linspace(-1, 1, 40), "y": ["a", "b"] * 20})
    result = trained(tmp_path, frame)
    frame.assign(id=2**60 + np.arange(40)).to_parquet(tmp_path / "new.parquet")
    saved = load_saved_model(result.directory)
    table, _ = predict_file(saved, tmp_path / "new.parquet", keep=["id"])
    assert table["id"].tolist() == [2**60 + n for n in range(40)]
