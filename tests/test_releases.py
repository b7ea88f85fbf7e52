"""Results that released versions wrote are read by this one; they are never written again."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.cli.app import app

HERE = Path(__file__).parent
RELEASES = sorted((HERE / "releases").glob("[0-9]*"))
WIND = HERE.parent / "experiments/wind_forecast.csv"

pytestmark = pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)


def test_runs_are_loaded(release: Path) -> None:
    """With history, steps and the version that wrote them."""
    loaded = kb.load(release / "digits")
    assert list(loaded.runs["status"]) == ["done"] * 4
    assert list(loaded.runs["step_check"]) == ["ok"] * 4
    assert set(loaded.history["run_id"]) == set(loaded.runs["run_id"])
    assert {record["versions"]["kerasbatch"] for record in loaded.records.values()} == {
        release.name
    }


def test_runs_are_compared_and_reported(release: Path) -> None:
    """As on the day of the release."""
    comparison = kb.compare(release / "digits", fit=True)
    assert list(comparison.table["batch_size"]) == [8, 64]
    assert set(comparison.best) >= {"steps", "examples", "seconds"}
    assert "val_accuracy" in kb.report(release / "digits")


def test_models_predict(release: Path, tmp_path: Path) -> None:
    """By the command, and in Python."""
    (run,) = (path for path in (release / "wind").iterdir() if path.is_dir())
    output = tmp_path / "predictions.csv"
    result = CliRunner().invoke(app, ["predict", str(run), "--csv", str(WIND), "-o", str(output)])
    assert result.exit_code == 0, result.output
    predicted = kb.load_run(run).predict(pd.read_csv(WIND))
    assert pd.read_csv(output)["prediction"].to_numpy() == pytest.approx(
        predicted.ravel(), rel=1e-5
    )
