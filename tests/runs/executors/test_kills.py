"""A sweep that is killed at any moment loses nothing that was finished."""

import subprocess
import sys
from pathlib import Path

import fake_executor
import pandas as pd
import pytest
from patience import limit

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.mark.slow
def test_killed_at_every_write_in_turn(tmp_path: Path) -> None:
    """Whole and half-written; the same command then gives what a sweep in peace gives."""
    command = [sys.executable, SUPPORT / "kill_loop.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit(120))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 200


def test_the_table_of_many_runs(tmp_path: Path) -> None:
    """Every run has its row, in order, though the table is written now and then only."""
    grid = {"batch_size": [1, 2, 10, "full"], "seed": list(range(30))}
    results = fake_executor.train(fake_executor.SPEC | {"sweep": grid}, tmp_path)
    assert len(results) == 120
    table = pd.read_csv(tmp_path / "experiment" / "runs.csv")
    assert table["batch_size"].tolist() == [1] * 30 + [2] * 30 + [10] * 30 + [120] * 30
    assert table["seed"].tolist() == list(range(30)) * 4
