"""runs.csv tells its rows apart."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kerasbatch as kb


def _runs(spec: dict[str, Any], folder: Path, **grid: Any) -> pd.DataFrame:
    keys = {key.replace("__", "."): values for key, values in grid.items()}
    kb.run_all(spec | {"sweep": keys}, results=folder)
    return pd.read_csv(folder / "experiment" / "runs.csv")


@pytest.mark.slow
def test_every_swept_key_is_a_column(small: dict[str, Any], tmp_path: Path) -> None:
    """By its dotted name, in the order of the sweep."""
    sampling = ["shuffle", "replacement"]
    runs = _runs(small, tmp_path, optimizer__momentum=[0.9, 0.0], sampling=sampling)
    assert runs[["optimizer.momentum", "sampling"]].values.tolist() == [
        [0.0, "replacement"],
        [0.0, "shuffle"],
        [0.9, "replacement"],
        [0.9, "shuffle"],
    ]


def test_so_is_every_key_in_which_runs_differ(small: dict[str, Any], tmp_path: Path) -> None:
    """Those of an earlier command, with other values of a key that was not swept."""
    kb.run(small, results=tmp_path)
    kb.run(small | {"partial_batch": "drop", "model": "mlp"}, results=tmp_path)
    runs = pd.read_csv(tmp_path / "experiment" / "runs.csv")
    assert sorted(runs["partial_batch"]) == ["drop", "keep"]
    assert "mlp" in set(runs["model"])
    assert "seed.1" not in runs.columns


@pytest.mark.slow
def test_rows_are_in_the_order_of_numbers(small: dict[str, Any], tmp_path: Path) -> None:
    """0.001 before 0.01 before 0.1, and 2 before 16."""
    rates = [0.1, 0.001, 0.01]
    runs = _runs(small, tmp_path, batch_size=[16, 2], optimizer__learning_rate=rates)
    assert runs["batch_size"].tolist() == [2, 2, 2, 16, 16, 16]
    assert runs["learning_rate"].tolist() == [0.001, 0.01, 0.1] * 2
