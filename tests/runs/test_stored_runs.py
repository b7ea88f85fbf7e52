"""The stored runs of tests/stored_runs are those that the present code makes."""

from pathlib import Path

import pandas as pd
from run_support import run_here
from small_specs import LINE
from stored_runs import STORED_LINE


def test_stored_runs_are_current(tmp_path: Path) -> None:
    """The same directories and numbers, but for clocks."""
    results = run_here(LINE | {"name": "line", "sweep": {"batch_size": [1, 24]}}, tmp_path)
    for result in results:
        stored = STORED_LINE / result.directory.name
        assert {file.name for file in result.directory.iterdir()} == {
            file.name for file in stored.iterdir()
        }
        for table in ("history.csv", "weights.csv", "steps.csv", "steps_loss.csv"):
            new, old = (pd.read_csv(path / table) for path in (result.directory, stored))
            clocks = [name for name in new if "seconds" in name or name.endswith("_at")]
            pd.testing.assert_frame_equal(new.drop(columns=clocks), old.drop(columns=clocks))
