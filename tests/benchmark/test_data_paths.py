"""How data come to the device, timed side by side."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from kerasbatch.benchmark import timers
from kerasbatch.benchmark.settings import BenchmarkSettings
from kerasbatch.benchmark.timers import Benchmark
from kerasbatch.cli import app


@pytest.mark.slow
def test_five_ways_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each batch size, in the terminal and as CSV."""
    settings = BenchmarkSettings(rounds=1, dataset_steps=20, round_seconds=0.01)
    monkeypatch.setattr(timers, "Benchmark", partial(Benchmark, settings=settings))
    spec, csv = tmp_path / "spec.yaml", tmp_path / "speeds.csv"
    spec.write_text(
        "data: digits\nmodel: mlp\noptimizer: sgd\nloss: sparse_categorical_crossentropy\n"
        "epochs: 1\nbatch_size: 64\n",
        encoding="utf-8",
    )
    command = ["bench", str(spec), "--data", "--batch-size", "64,full", "--csv", str(csv)]
    done = CliRunner().invoke(app.app, command, catch_exceptions=False)
    assert "streamed to resident" in " ".join(done.output.split())
    table = pd.read_csv(csv)
    assert table["batch_size"].tolist() == [64, 1437]
    assert (table > 0).all(axis=None)
