"""The last examples, and whole groups, for validation and test."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_support import REGRESSION, csv, load, npz

import kerasbatch as kb
from kerasbatch.data.parts.positions import evaluation_subset


def shop_table(shops: int = 10, rows: int = 7) -> str:
    lines = [f"{shop},{row},{shop * 100 + row}" for shop in range(shops) for row in range(rows)]
    return "\n".join(["shop,a,y", *lines])


def test_the_last_examples(tmp_path: Path) -> None:
    x = np.arange(100, dtype="float32").reshape(100, 1, 1)
    keys = REGRESSION | npz(tmp_path, x_train=x, y_train=np.arange(100.0))
    loaded = load(tmp_path, keys | {"validation": {"last": 0.2}, "test": {"last": 0.1}})
    assert loaded.y_train.tolist() == list(range(70))
    assert loaded.y_val.tolist() == list(range(70, 90))  # type: ignore[union-attr]
    assert loaded.y_test.tolist() == list(range(90, 100))  # type: ignore[union-attr]


def test_a_test_part_beside_random_validation(tmp_path: Path) -> None:
    x = np.arange(100, dtype="float32").reshape(100, 1, 1)
    keys = REGRESSION | npz(tmp_path, x_train=x, y_train=np.arange(100.0))
    loaded = load(tmp_path, keys | {"validation": {"fraction": 0.25}, "test": {"last": 0.2}})
    assert loaded.y_test.tolist() == list(range(80, 100))  # type: ignore[union-attr]
    assert len(loaded.y_val) == 20  # type: ignore[arg-type]
    assert sorted([*loaded.y_train, *loaded.y_val]) == list(range(80))  # type: ignore[misc]
    without = load(tmp_path, keys | {"validation": "none", "test": {"last": 0.2}})
    assert without.x_val is None
    assert without.y_test.tolist() == list(range(80, 100))  # type: ignore[union-attr]
    validated = load(tmp_path, keys | {"validation": "test", "test": {"last": 0.2}})
    assert validated.y_val.tolist() == list(range(80, 100))  # type: ignore[union-attr]


def groups_of(loaded: Any) -> tuple[set[int], set[int]]:
    return {int(y // 100) for y in loaded.y_train}, {int(y // 100) for y in loaded.y_val}


def test_groups_stay_together(tmp_path: Path) -> None:
    keys = REGRESSION | csv(tmp_path, shop_table(), standardize=False)
    keys |= {"validation": {"groups": "shop", "fraction": 0.3}}
    loaded = load(tmp_path, keys)
    train, held = groups_of(loaded)
    assert not train & held
    assert (len(train), len(held)) == (7, 3)
    assert loaded.x_train.shape == (49, 1)  # type: ignore[union-attr]  # the group is no column
    assert groups_of(load(tmp_path, keys | {"seed": 5})) == (train, held)


def test_groups_of_other_rows_are_other_data(tmp_path: Path) -> None:
    """The column of groups is in no array of the model, and decides what it learns."""
    keys = REGRESSION | {"validation": {"groups": "shop"}}
    first = load(tmp_path, keys | csv(tmp_path, shop_table()))
    other = shop_table().replace("0,0,0\n", "9,0,0\n", 1)
    assert load(tmp_path, keys | csv(tmp_path, other)).fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("text", "validation", "words"),
    [
        (shop_table(), {"groups": "shp"}, "no column 'shp'; did you mean shop"),
        (shop_table(shops=1), {"groups": "shop"}, "there is one group, 0"),
        (shop_table().replace("\n3,4,", "\n,4,"), {"groups": "shop"}, "'shop' has an empty cell"),
    ],
)
def test_what_are_no_groups(tmp_path: Path, text: str, validation: Any, words: str) -> None:
    with pytest.raises(kb.SpecError, match=words):
        load(tmp_path, REGRESSION | csv(tmp_path, text) | {"validation": validation})


def test_groups_belong_to_a_table(tmp_path: Path) -> None:
    keys = REGRESSION | {"validation": {"groups": "shop"}}
    arrays = npz(tmp_path, x_train=np.ones((4, 2)), y_train=np.arange(4.0))
    for data in (arrays, {"data": "diabetes"}):
        with pytest.raises(kb.SpecError, match="table"):
            load(tmp_path, keys | data)


def test_a_second_test_part_is_refused(tmp_path: Path) -> None:
    arrays = npz(
        tmp_path,
        x_train=np.ones((9, 2)),
        y_train=np.arange(9.0),
        x_test=np.ones((2, 2)),
        y_test=np.arange(2.0),
    )
    with pytest.raises(kb.SpecError, match="have a part for validation or test already"):
        load(tmp_path, REGRESSION | arrays | {"test": {"last": 0.2}})


def test_groups_and_the_last_examples_exclude_each_other(tmp_path: Path) -> None:
    keys = REGRESSION | csv(tmp_path, shop_table()) | {"test": {"last": 0.2}}
    with pytest.raises(kb.SpecError, match="would put rows of one group on both sides"):
        load(tmp_path, keys | {"validation": {"groups": "shop"}})


def test_large_groups_leave_fewer_examples(tmp_path: Path) -> None:
    """The number of training examples is known when the groups are."""
    table = "\n".join(["shop,a,y", *(f"{n // 30},{n},{n}" for n in range(60))])
    keys = REGRESSION | csv(tmp_path, table, train_examples=40)
    with pytest.raises(kb.SpecError, match="found 40; must be at most the 30"):
        load(tmp_path, keys | {"validation": {"groups": "shop", "fraction": 0.2}})


def test_large_examples_are_evaluated_on_fewer() -> None:
    """The subset is copied into memory: 200 MB of it, and a hundred examples in any case."""
    assert len(evaluation_subset(20_000, None, 100)) == 10_000
    assert len(evaluation_subset(20_000, None, 200_000)) == 1_000
    assert len(evaluation_subset(20_000, None, 10**8)) == 100
    assert len(evaluation_subset(50, None, 10**8)) == 50
