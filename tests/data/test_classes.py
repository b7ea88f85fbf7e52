"""Labels as classes: their order, their names, and which one is positive."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_support import CLASSES, load

from kerasbatch.errors import SpecError

BINARY = {
    "loss": "binary_crossentropy",
    "model": {"layers": [{"Dense": {"units": 1, "activation": "sigmoid"}}]},
}


def labelled(folder: Path, cells: list[Any], spec: Any = CLASSES, **keys: Any) -> Any:
    text = "a,label\n" + "".join(f"{i / 7},{label}\n" for i, label in enumerate(cells))
    (folder / "t.csv").write_text(text, encoding="utf-8")
    data = {"csv": "t.csv", "target": "label"} | keys
    return load(folder, spec | {"data": data, "validation": "none"})


def test_classes_that_do_not_begin_at_zero(tmp_path: Path) -> None:
    """Three classes, not four of which one never occurs."""
    loaded = labelled(tmp_path, [1, 2, 3, 3] * 5)
    assert (loaded.classes, loaded.y_train[:4].tolist()) == (3, [0, 1, 2, 2])
    assert loaded.preprocessing["labels"] == ("1", "2", "3")
    assert "3 classes: 1, 2, 3" in loaded.notice


def test_many_classes_that_do_not_begin_at_zero(tmp_path: Path) -> None:
    loaded = labelled(tmp_path, list(range(1, 151)) * 2)
    assert (loaded.classes, loaded.y_train[:2].tolist()) == (150, [0, 1])


def test_labels_as_they_are_spelled(tmp_path: Path) -> None:
    """01 is not 1; 1.0 and 2.0 are numbers."""
    assert labelled(tmp_path, ["01", "02", "10"] * 5).preprocessing["labels"] == ("01", "02", "10")
    assert labelled(tmp_path, ["1", "01", "2"] * 5).classes == 3
    assert labelled(tmp_path, ["1.0", "0.0", "2.0"] * 5).classes == 3
    assert labelled(tmp_path, ["1.0", "0.0", "2.0"] * 5).preprocessing["labels"] is None


def test_order_and_names(tmp_path: Path) -> None:
    """A list gives the order, a mapping the names as well."""
    loaded = labelled(tmp_path, ["low", "high", "mid"] * 5, labels=["low", "mid", "high"])
    assert loaded.y_train[:3].tolist() == [0, 2, 1]
    loaded = labelled(tmp_path, [-1, 1] * 9, CLASSES | BINARY, labels={-1: "no", 1: "yes"})
    assert loaded.y_train[:2].tolist() == [0, 1]
    assert loaded.preprocessing["labels"] == ("no", "yes")
    with pytest.raises(SpecError, match="the target holds mid, which labels does not list"):
        labelled(tmp_path, ["low", "high", "mid"] * 5, labels=["low", "high"])


def test_the_positive_class(tmp_path: Path) -> None:
    """It is class 1; without it, the notice says which one is."""
    words = ["legit", "fraud", "legit"] * 5
    loaded = labelled(tmp_path, words, CLASSES | BINARY)
    assert loaded.y_train[:2].tolist() == [1, 0]
    assert "class 1, the positive one, is legit; write positive: fraud" in loaded.notice
    loaded = labelled(tmp_path, words, CLASSES | BINARY, positive="fraud")
    assert loaded.y_train[:2].tolist() == [0, 1]
    with pytest.raises(SpecError, match="no label is froud; there are fraud, legit"):
        labelled(tmp_path, words, CLASSES | BINARY, positive="froud")
    with pytest.raises(SpecError, match="belongs to two classes, and there are 3"):
        labelled(tmp_path, ["a", "b", "c"] * 5, positive="a")


def test_columns_and_decimals_of_an_npz(tmp_path: Path) -> None:
    """One-hot labels and 0.0, 1.0 are class numbers; its validation part is used."""
    x, y = np.random.RandomState(0).rand(20, 3), np.arange(20) % 2
    for labels, notice in ((np.eye(2)[y], "one-hot labels"), (y.astype("float64"), "")):
        arrays = {"x_train": x, "y_train": labels, "x_val": x[:5], "y_val": labels[:5], "more": x}
        np.savez(tmp_path / "d.npz", **arrays)
        loaded = load(tmp_path, CLASSES | {"data": {"npz": "d.npz"}})
        assert loaded.y_train.tolist() == y.tolist()
        assert loaded.y_val.tolist() == y[:5].tolist()
        assert notice in loaded.notice
        assert "left out of d.npz: more" in loaded.notice
