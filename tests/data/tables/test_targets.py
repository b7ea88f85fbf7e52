"""Several columns of numbers as the target of one output."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasbatch as kb

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 2))
FRAME = pd.DataFrame(
    {"a": X[:, 0], "b": X[:, 1], "sum": X.sum(axis=1), "rest": X[:, 0] - X[:, 1], "word": "w"}
)


def spec(**data: Any) -> dict[str, Any]:
    return {
        "data": {"csv": "t.csv", "target": ["sum", "rest"], "exclude": ["word"], **data},
        "model": "linear",
        "optimizer": "adam",
        "loss": "mse",
        "metrics": ["mae"],
        "epochs": 2,
        "batch_size": 8,
        "save": "last",
    }


@pytest.fixture(autouse=True)
def _table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FRAME.to_csv("t.csv", index=False)


def test_the_model_has_an_output_for_each(tmp_path: Path) -> None:
    result = kb.run(spec())
    arrays = kb.run(
        spec() | {"data": {"x": X, "y": FRAME[["sum", "rest"]].to_numpy()}},
    )
    assert result.row["val_mae"] == pytest.approx(arrays.row["val_mae"], rel=1e-5)
    assert result.predict(FRAME[["a", "b"]]).shape == (50, 2)


def test_their_own_units() -> None:
    scaled = kb.run(spec(standardize_target=True))
    assert scaled.row["val_mae"] > 0
    assert np.abs(scaled.predict(FRAME[["a", "b"]]).mean()) < 5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"target": ["sum", "word"], "exclude": ["rest"]}, "holds words; several targets must"),
        ({"target": ["sum", "sum"]}, "listed twice"),
        ({"target": ["sum", "som"]}, "did you mean sum"),
        ({"target": []}, "the name of a column, or a list"),
        ({"weight": "sum"}, "is the target already"),
    ],
)
def test_faults(data: dict[str, Any], message: str) -> None:
    with pytest.raises(kb.SpecError, match=message):
        kb.run(spec(**data))
