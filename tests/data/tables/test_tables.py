"""Tables as they are: words, dates, gaps, several files, weights, targets in their own units."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from own_support import CLASSES, REGRESSION, csv, load, npz
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import kerasbatch as kb
from kerasbatch.data.sizes import data_sizes
from kerasbatch.records.files import dump_yaml
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access

HOUSES = "rooms,kind,garden,y\n" + "".join(
    f"{i % 7},{['flat', 'house', 'villa'][i % 3]},{'yes' if i % 2 else 'no'},{i * 1.5 + 0.25}\n"
    for i in range(40)
)


def test_words_become_columns_as_scikit_learn_makes_them(tmp_path: Path) -> None:
    """Numbers first, standardized by the training part; then a column for each word."""
    loaded = load(tmp_path, REGRESSION | csv(tmp_path, HOUSES) | {"validation": "none"})
    frame = pd.read_csv(tmp_path / "t.csv")
    by_sklearn = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["rooms"]),
            ("words", OneHotEncoder(sparse_output=False), ["kind", "garden"]),
        ]
    )
    np.testing.assert_array_equal(
        loaded.x_train, by_sklearn.fit_transform(frame).astype(np.float32)
    )
    assert loaded.input_shape == (6,)


def test_only_the_training_part_is_looked_at(tmp_path: Path) -> None:
    """A word that only the validation file has is none of the known ones."""
    (tmp_path / "v.csv").write_text("y,kind,a\n1.5,boat,1000\n2.5,flat,1\n", encoding="utf-8")
    spec = csv(tmp_path, "a,kind,y\n1,flat,1.5\n3,house,2.5\n", validation="v.csv")
    loaded = load(tmp_path, REGRESSION | spec)
    assert loaded.x_train.tolist() == [[-1, 1, 0], [1, 0, 1]]
    assert loaded.x_val is not None
    assert loaded.x_val.tolist() == [[998, 0, 0], [-1, 1, 0]]
    assert loaded.preprocessing["words"]["kind"] == ("flat", "house")
    assert loaded.notice == (
        "1 row of column kind for validation hold words that the training part does not; they "
        "count as none"
    )


def test_three_files(tmp_path: Path) -> None:
    """Validation has its own, and the test part is measured at the end; columns go by name."""
    for name, shift in (("v", 1), ("w", 2)):
        text = "y,b,a,extra\n" + "".join(f"{i + shift}.5,{i},{i},0\n" for i in range(5))
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    text = "a,b,y\n" + "".join(f"{i},{2 * i},{i}.5\n" for i in range(10))
    spec = REGRESSION | csv(tmp_path, text, validation="v.csv", test="w.csv")
    loaded = load(tmp_path, spec)
    assert (len(loaded.x_train), loaded.y_val[0], loaded.y_test[0]) == (10, 1.5, 2.5)  # type: ignore[index]  # both are there
    sizes = data_sizes(reader.spec_from_dict(spec).spec, Access(tmp_path))
    assert (sizes.train_examples, sizes.held_back) == (10, 0)
    only_test = load(tmp_path, REGRESSION | csv(tmp_path, text, test="w.csv"))
    assert only_test.y_val[0] == 2.5  # type: ignore[index]  # the test part is validation, as ever
    assert only_test.y_test is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"missing": "mean"}, None),
        ({"missing": "drop"}, None),
        ({}, r"column 'a' has an empty cell in line 4 \(1 such\); fill it in, write missing"),
    ],
)
def test_missing_values(tmp_path: Path, keys: dict[str, Any], words: str | None) -> None:
    """Refused, filled by the mean of the training part, or left out with a word about it."""
    spec = REGRESSION | csv(tmp_path, "a,y\n1,1.5\n3,2.5\n,3.5\n8,4.5\n", **keys)
    spec |= {"validation": "none"}
    if words:
        with pytest.raises(kb.SpecError, match=words):
            load(tmp_path, spec)
        return
    loaded = load(tmp_path, spec)
    if keys["missing"] == "mean":
        assert loaded.preprocessing["fill"] == (4.0,)
        assert loaded.x_train[2, 0] == 0
    else:
        assert loaded.y_train.tolist() == [1.5, 2.5, 4.5]
        assert loaded.notice == "missing: drop leaves out 1 row of 4"


@pytest.mark.parametrize(
    ("text", "keys", "words"),
    [
        ("a,y\n2024-01-05,1\n2024-02-05,2\n", {}, "column 'a' holds dates or times; write what"),
        ("a,y\n5.1.24 10:00,1\n6.1.24 11:30,2\n", {}, "holds dates or times"),
        (
            "a,y\n" + "".join(f"n{i},1\n" for i in range(1001)),
            {},
            "different words in every row \\(1,001 words",
        ),
        (
            "a,y\nflat,1\n7,2\nvilla,3\n",
            {},
            "column 'a' holds numbers and, in 2 rows, none: 'flat' in line 2",
        ),
        ("a,k,y\n1,x,1\n2,,2\n", {}, "column 'k' has an empty cell in line 3"),
        ("a,k,y\n1,x,1\n2,,2\n", {"weight": "w"}, "data.weight: the file has no column 'w'"),
        ("a,w,y\n1,-1,1\n2,1,2\n", {"weight": "w"}, "the one in row 0 is not"),
        ("a,w,y\n1,0,1\n2,0,2\n", {"weight": "w"}, "every weight is 0"),
        ("a,w,y\n1,0,1\n2,0,2\n", {"weight": "y"}, "y is the target already"),
        ("a,w,y\n,0,1\n,0,2\n", {"missing": "drop"}, "every row lacks a value"),
        ("a,w,y\n,0,1\n,0,2\n", {"missing": "mean"}, "a has no value at all"),
        ("a,y\n1,x\n2,z\n3,x\n", {"standardize_target": True}, "these are classes"),
        ("a,y\n1,1.5\n2,2.5\n", {"validation": "none.csv"}, "there is no file none.csv"),
        ("a,y\n1,1.5\n2,2.5\n", {"validation": "../v.csv"}, "lies outside the spec's folder"),
    ],
)
def test_tables_that_are_no_data(
    tmp_path: Path, text: str, keys: dict[str, Any], words: str
) -> None:
    """Columns and lines are named, and what to do."""
    classes = "x" in text and "z" in text
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, (CLASSES if classes else REGRESSION) | csv(tmp_path, text, **keys))


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    """Numbers, words and truth values give the same arrays."""
    by_csv = load(tmp_path, REGRESSION | csv(tmp_path, HOUSES, missing="mean"))
    frame = pd.read_csv(tmp_path / "t.csv", dtype={"kind": "category"})
    frame.to_parquet(tmp_path / "t.parquet")
    spec = {"data": {"parquet": "t.parquet", "target": "y", "missing": "mean"}}
    by_parquet = load(tmp_path, REGRESSION | spec)
    np.testing.assert_array_equal(by_csv.x_train, by_parquet.x_train)
    np.testing.assert_array_equal(by_csv.y_train, by_parquet.y_train)
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(kb.SpecError, match="is not a readable Parquet file"):
        load(tmp_path, REGRESSION | spec)


def test_weights_of_examples(tmp_path: Path) -> None:
    """From a column, or the array sample_weight; they stay with their examples in a split."""
    text = "a,y,w\n" + "".join(f"{i},{i}.5,{i}\n" for i in range(10))
    loaded = load(tmp_path, REGRESSION | csv(tmp_path, text, weight="w"))
    assert loaded.w_train is not None
    assert loaded.w_train.tolist() == (loaded.y_train - 0.5).tolist()
    assert loaded.input_shape == (1,)
    x = np.arange(8.0).reshape(4, 2)
    spec = REGRESSION | npz(tmp_path, x_train=x, y_train=np.ones(4), sample_weight=[1, 2, 3, 4])
    loaded = load(tmp_path, spec | {"validation": "none"})
    assert loaded.train[2].tolist() == [1, 2, 3, 4]
    spec = npz(tmp_path, x_train=x, y_train=np.ones(4), sample_weight=[1, 2, 3])
    with pytest.raises(kb.SpecError, match="must be 4 numbers, one for each example"):
        load(tmp_path, REGRESSION | spec)


def test_weights_of_classes(tmp_path: Path) -> None:
    """By label, or so that every class weighs the same in all."""
    text = "a,y\n" + "".join(f"{i},{'dog' if i % 4 else 'cat'}\n" for i in range(12))
    spec = CLASSES | csv(tmp_path, text) | {"validation": "none"}
    loaded = load(tmp_path, spec | {"class_weight": {"cat": 5}})
    assert loaded.train[2].tolist() == [5.0 if i % 4 == 0 else 1.0 for i in range(12)]
    balanced = load(tmp_path, spec | {"class_weight": "balanced"}).train[2]
    assert balanced[loaded.y_train == 0].sum() == balanced[loaded.y_train == 1].sum() == 6
    with pytest.raises(kb.SpecError, match="every weight is 0"):
        load(tmp_path, spec | {"class_weight": {"cat": 0, "dog": 0}})
    with pytest.raises(kb.SpecError, match=r"class_weight.cow: no .* there are cat, dog"):
        load(tmp_path, spec | {"class_weight": {"cow": 1}})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"class_weight": {0: -1}}, "found a mapping; must be balanced, or a weight of 0 or more"),
        ({"class_weight": "even"}, "found 'even'; must be balanced"),
        ({"class_weight": "balanced", "loss": "mse"}, "weighs classes, and mse compares numbers"),
    ],
)
def test_weights_that_say_nothing(changed: dict[str, Any], words: str) -> None:
    """Told before any data are read."""
    with pytest.raises(kb.SpecError, match=words):
        reader.spec_from_dict(CLASSES | {"data": "digits"} | changed)


def test_a_standardized_target_is_told_in_its_own_units(tmp_path: Path) -> None:
    """The model learns numbers around 0; metrics and predictions are what they would be without."""
    held = pd.DataFrame({"a": range(8), "y": [1000.5 + 10 * (i % 3) for i in range(8)]})
    held.to_csv(tmp_path / "v.csv", index=False)
    text = "a,y\n" + "".join(f"{i},{1000 + 10 * (i % 5)}.5\n" for i in range(40))
    spec = REGRESSION | csv(tmp_path, text, standardize_target=True, validation="v.csv")
    spec |= {"metrics": ["mae", "mse"], "save": "last", "epochs": 2}
    assert abs(float(load(tmp_path, spec).y_train.mean())) < 1e-6
    (tmp_path / "s.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    result = kb.run(tmp_path / "s.yaml", results=tmp_path / "r")
    wrong = result.predict(held) - held["y"].to_numpy()
    assert result.row["val_mae"] == pytest.approx(float(np.abs(wrong).mean()), rel=1e-4)
    assert result.row["val_mse"] == pytest.approx(float((wrong**2).mean()), rel=1e-4)
    assert result.row["val_loss"] < 100  # the loss is that of what was learned, around 0
