"""A spec that starts from the weights of another experiment, and its measurements."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

import kerasbatch as kb
from kerasbatch.advice.advise import _Adviser
from kerasbatch.advice.grid import read_grid
from kerasbatch.spec.reader import checked_spec, spec_from_dict

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


def adviser(spec: dict[str, Any], folder: Path) -> _Adviser:
    folder.mkdir()
    grid = read_grid(spec_from_dict(spec), (), None)
    return _Adviser(grid, folder, 1.0, False, False, lambda work: contextlib.nullcontext())


def test_measurements_start_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The advised spec names the experiment."""
    monkeypatch.chdir(tmp_path)
    first = kb.run(SPEC)
    second = SPEC | {"name": "second", "initial_weights": {"experiment": "first"}, "save": "none"}
    folder = tmp_path / "measured"
    advising = adviser(second, folder)
    result = kb.run(advising._long, results=folder)
    assert result.history["val_loss"].iloc[0] == first.history["val_loss"].iloc[-1]
    assert "experiment: first" in advising._spec(32, None)
    assert [file.name for file in folder.glob("*.keras")] == ["initial_weights.keras"]


def test_other_specs_copy_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    adviser(SPEC, tmp_path / "measured")
    assert not list((tmp_path / "measured").iterdir())
    missing = SPEC | {"name": "second", "initial_weights": {"experiment": "gone"}}
    with pytest.raises(kb.SpecError, match="run the experiment gone first"):
        adviser(missing, tmp_path / "other")
    assert checked_spec(missing).initial_weights is not None
