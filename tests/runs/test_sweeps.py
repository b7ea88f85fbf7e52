"""Many runs of one spec."""

from pathlib import Path
from typing import Any

import keras
import pandas as pd
import pytest
from keras.optimizers import SGD
from run_support import numbers, run, run_here
from small_specs import LINE

import kerasbatch as kb


def test_a_sweep_that_changes_only_variables_compiles_once(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds and learning rates keep the program, and give the numbers of a fresh process."""
    grid = {"seed": [0, 1], "optimizer.learning_rate": [0.1, 0.01]}
    traced: list[str] = []
    honest = SGD.update_step

    def update(optimizer: SGD, *arguments: Any) -> Any:
        traced.append("once")
        return honest(optimizer, *arguments)

    keras.utils.clear_session()  # forgets the programs of other tests
    with monkeypatch.context() as patch:
        patch.setattr(SGD, "update_step", update)
        patch.setattr(
            "kerasbatch.runs.prepare.checks.check_labels", lambda *_: None
        )  # it takes a step too
        results = run_here(small | {"sweep": grid}, tmp_path)
    assert len(traced) == 2  # two weights; full and partial batches share a program
    alone = small | {"seed": 1, "optimizer": {"name": "sgd", "learning_rate": 0.01}}
    fresh = run(alone, tmp_path / "alone")
    pd.testing.assert_frame_equal(numbers(results[-1]), numbers(fresh), check_exact=True)


def test_every_run_of_a_sweep_has_its_row(small: dict[str, Any], tmp_path: Path) -> None:
    """A row each; the swept values are readable in the names."""
    results = kb.run_all(small | {"sweep": {"batch_size": [8, "full"]}}, results=tmp_path)
    assert [r.row["batch_size"] for r in results] == [8, 120]
    names = [r.directory.name.rsplit("-", 1)[0] for r in results]
    assert names == ["batch_size=8", "batch_size=full"]
    assert len(pd.read_csv(tmp_path / "experiment" / "runs.csv")) == 2
    with pytest.raises(kb.SpecError, match=r"makes 2 runs; call kerasbatch\.sweep"):
        run(small | {"sweep": {"batch_size": [8, "full"]}}, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_diverged_run_does_not_stop_a_sweep(tmp_path: Path) -> None:
    """It is an outcome, kept beside the others."""
    spec = LINE | {"record": [], "sweep": {"optimizer.learning_rate": [1e30, 0.05]}}
    results = kb.run_all(spec, results=tmp_path)
    assert [r.status for r in results] == ["diverged", "done"]
