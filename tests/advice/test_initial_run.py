"""A spec that begins with the weights of another experiment, in the folder of its measurements."""

from pathlib import Path
from typing import Any

import pytest

import kerasbatch as kb
from kerasbatch.advice.initial_run import copy_initial_run
from kerasbatch.spec.reader import spec_from_dict

SPEC: dict[str, Any] = {
    "name": "first",
    "data": "digits",
    "model": "mlp",
    "optimizer": "sgd",
    "loss": "sparse_categorical_crossentropy",
    "steps": 3,
    "batch_size": 16,
    "save": "last",
}


def test_the_run_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = kb.run(SPEC)
    second = SPEC | {"name": "second", "initial_weights": {"experiment": "first"}, "save": "none"}
    source, measured = spec_from_dict(second), tmp_path / "measured"
    copy_initial_run(source.spec, source.access(), measured)
    result = kb.run(source, results=measured)
    first_row, second_row = first.history.iloc[-1], result.history.iloc[0]
    assert second_row["val_loss"] == first_row["val_loss"]
    own = spec_from_dict(SPEC)
    copy_initial_run(own.spec, own.access(), tmp_path / "other")
    assert not (tmp_path / "other").exists()
