"""Targets: recorded for every run that has one, with stop or without."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_support import run

import kerasbatch as kb
from kerasbatch.spec.section_schema import Target

TARGET = {"metric": "val_accuracy", "at_least": 0.7}


def test_a_target_without_stop_is_recorded(small: dict[str, Any], tmp_path: Path) -> None:
    """The first evaluation that passes, and the run goes on to its end."""
    result = run(small | {"epochs": 12, "target": TARGET}, tmp_path)
    assert result.status == "done"
    history = result.history
    first = history[(history["val_accuracy"] > 0.69999) & (history["step"] > 0)].iloc[0]
    row = result.row
    assert row["target"] == "val_accuracy >= 0.7"
    assert row["steps_to_target"] == first["step"] < history["step"].iloc[-1]
    assert row["examples_to_target"] == first["examples"]
    assert row["seconds_to_target"] == first["seconds"]
    assert result.step_before(row["steps_to_target"]) == first["step"] - 8


def test_a_target_that_is_not_reached_is_empty(small: dict[str, Any], tmp_path: Path) -> None:
    """And a run without a target has no such columns."""
    result = run(small | {"target": TARGET | {"at_least": 1.1}}, tmp_path)
    assert (result.row["target"], result.row["steps_to_target"]) == ("val_accuracy >= 1.1", None)
    runs = pd.read_csv(tmp_path / "experiment" / "runs.csv")
    assert runs["steps_to_target"].isna().all()
    assert "target" not in run(small, tmp_path / "without").row


def test_a_target_with_stop_says_where_it_was_reached(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """At the step where the run ends."""
    result = run(small | {"epochs": 50, "target": TARGET | {"stop": True}}, tmp_path)
    assert result.status == "target"
    assert result.row["steps_to_target"] == result.row["observed_steps"]


@pytest.mark.slow
def test_the_table_of_a_sweep_says_who_reached_it(small: dict[str, Any], tmp_path: Path) -> None:
    """With the steps that it took."""
    from rich.console import Console

    from kerasbatch.cli.display import tables

    grid = {"sweep": {"batch_size": [8, "full"]}, "epochs": 6, "target": TARGET}
    results = kb.run_all(small | grid, results=tmp_path)
    console = Console(width=200, record=True)
    console.print(tables.result_table(results))
    lines = console.export_text().splitlines()
    assert lines[0].rstrip().endswith("to target")
    assert lines[1].rstrip().endswith(f"{results[0].row['steps_to_target']} steps")
    assert lines[2].rstrip().endswith("not reached")


def test_a_share_in_float32_reaches_its_target() -> None:
    """9 of 10 is 0.89999998 in float32, and 1 of 10 is 0.1000000015; the next share does not."""
    at_least, at_most = (
        Target(metric="accuracy", at_least=0.9),
        Target(metric="val_loss", at_most=0.1),
    )
    shares = pd.Series(np.float64(np.float32([324 / 360, 323 / 360])))
    assert at_least.is_reached_by(shares).tolist() == [True, False]
    assert at_least.is_reached_by(0.9)
    losses = pd.Series(np.float64(np.float32([0.1, 0.10001])))
    assert at_most.is_reached_by(losses).tolist() == [True, False]
    assert not Target(metric="mse", at_most=1e300).is_reached_by(float("nan"))
