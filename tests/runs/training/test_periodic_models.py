"""Models that are saved during a training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerasbatch as kb


def files(result: kb.Result) -> list[str]:
    return sorted(file.name for file in result.directory.glob("checkpoint-*"))


def test_the_last_ones_are_kept(small: dict[str, Any], tmp_path: Path) -> None:
    """120 flowers in batches of 16 are 8 steps an epoch."""
    save = {"every": {"epochs": 2}, "keep": 2}
    result = kb.run(small | {"epochs": 7, "save": save}, results=tmp_path)
    assert files(result) == ["checkpoint-48.keras", "checkpoint-56.keras"]
    record = json.loads((result.directory / "record.json").read_text(encoding="utf-8"))
    assert set(files(result)) <= set(record["files"])
    early = kb.run(small | {"epochs": 6, "save": "last"}, results=tmp_path)
    x = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_array_equal(
        result.predict(x, "checkpoint-48"),
        early.predict(x),
    )
    with pytest.raises(kb.SpecError, match="name one of checkpoint-48, checkpoint-56"):
        result.predict(x)


def test_beside_the_best_one(small: dict[str, Any], tmp_path: Path) -> None:
    save = ["best", {"every": {"steps": 5}}]
    spec = small | {"save": save, "evaluate_every": {"steps": 4}}
    result = kb.run(spec, results=tmp_path)
    assert files(result) == ["checkpoint-16.keras"]
    assert (result.directory / "best.keras").exists()
    again = kb.run(spec, results=tmp_path, rerun=True)
    assert files(again) == ["checkpoint-16.keras"]


@pytest.mark.parametrize(
    ("save", "message"),
    [
        ({"every": {}}, "must have one of epochs, steps"),
        ({"every": {"epochs": 1, "steps": 2}}, "must have one of epochs, steps"),
        ([{"every": {"epochs": 1}}, {"every": {"epochs": 2}}], "is in the list already"),
        ({"every": {"epochs": 1}, "keep": 0}, "must be none, last, best"),
        ({"evry": {"epochs": 1}}, "every"),
    ],
)
def test_faults(small: dict[str, Any], save: Any, message: str) -> None:
    with pytest.raises(kb.SpecError, match=message):
        kb.run(small | {"save": save})
