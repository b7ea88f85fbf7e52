"""A sweep that searches its learning rates, trained for real: the same runs in every way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kerasbatch as kb
from kerasbatch.records.files import dump_yaml

SWEEP: dict[str, Any] = {
    "name": "rates",
    "data": "digits",
    "model": "mlp",
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "steps": 1500,
    "batch_size": 32,
    "evaluate_every": {"growth": 1.1},
    "target": {"metric": "val_accuracy", "at_least": 0.9, "stop": True},
    "sweep": {"batch_size": [16, 128], "optimizer.learning_rate": "auto", "seed": [0, 1, 2]},
}


def histories(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the history of every run without its seconds, by the name of its directory."""
    runs = [path.parent for path in folder.glob("*/record.json")]
    return {
        run.name: pd.read_csv(run / "history.csv").drop(columns="seconds") for run in sorted(runs)
    }


def assert_equal(one: Path, other: Path) -> None:
    before, after = histories(one), histories(other)
    assert list(before) == list(after)
    for name, table in before.items():
        pd.testing.assert_frame_equal(table, after[name], check_exact=True)


@pytest.mark.slow
def test_a_search_gives_up_what_cannot_win(tmp_path: Path) -> None:
    """Capped runs are no failures; the comparison has no edge, and misses nothing."""
    results = kb.run_all(SWEEP, results=tmp_path, jobs=2)
    statuses = {result.status for result in results}
    assert "capped" in statuses
    assert statuses <= {"capped", "target", "done", "diverged"}
    for result in results:
        if result.status == "capped":
            assert result.row["step_check"] == "ended_early: capped"
            assert result.row["observed_steps"] >= result.record["cap"]["steps"]
            assert "another setting is better" in result.message
    rates = [(r.swept["batch_size"], r.swept["optimizer.learning_rate"]) for r in results]
    assert rates == sorted(rates)
    comparison = kb.compare(tmp_path / "rates")
    codes = {caveat.code for caveat in comparison.caveats}
    assert not codes & {"missing_runs", "grid_edge", "not_reached", "one_seed"}
    assert comparison.table["seeds"].tolist() == [3, 3]
    _again(tmp_path, results)
    _other_questions(tmp_path, comparison)


def _again(folder: Path, results: list[kb.Result]) -> None:
    """The same command trains nothing; one without caps trains the rest whole."""
    again = kb.run_all(SWEEP, results=folder)
    assert [r.directory for r in again] == [r.directory for r in results]
    assert all(result.reused for result in again)


def _other_questions(folder: Path, comparison: Any) -> None:
    """Under another target, or by the searched key, a capped run is unknown."""
    easier = kb.compare(folder / "rates", target="val_accuracy>=0.8")
    assert (easier.table["reached"] >= 2).all()
    harder = kb.compare(folder / "rates", target="val_accuracy>=0.95")
    assert "not_reached" in {caveat.code for caveat in harder.caveats}
    by_rate = kb.compare(folder / "rates", ["batch_size", "learning_rate"])
    assert by_rate.table["unknown"].sum() > 0
    assert len(by_rate.table) > len(comparison.table)


@pytest.mark.slow
def test_killed_and_resumed_with_any_number_of_workers(tmp_path: Path) -> None:
    """Four times kill -9, then to the end; one worker; two; trained again: the same histories."""
    kb.run_all(SWEEP, results=tmp_path / "two", jobs=2)
    kb.run_all(SWEEP, results=tmp_path / "one", jobs=1)
    assert_equal(tmp_path / "two/rates", tmp_path / "one/rates")
    spec = tmp_path / "rates.yaml"
    spec.write_text(dump_yaml(SWEEP), encoding="utf-8")
    for seconds in (9.0, 10.0, 11.0, 12.0):
        _kill_after(seconds, spec, tmp_path / "killed")
    kb.run_all(SWEEP, results=tmp_path / "killed")
    assert_equal(tmp_path / "two/rates", tmp_path / "killed/rates")
    kb.run_all(SWEEP, results=tmp_path / "two", jobs=2, rerun=True)
    assert_equal(tmp_path / "two/rates", tmp_path / "killed/rates")


def _kill_after(seconds: float, spec: Path, results: Path) -> None:
    start = [sys.executable, "-c", "from kerasbatch.cli.app import main; main()"]
    command = [*start, "run", str(spec), "--results", str(results)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.ray
def test_on_a_ray_cluster(tmp_path: Path) -> None:
    """The same runs as by local workers."""
    kb.run_all(SWEEP, results=tmp_path / "here", jobs=2)
    kb.run_all(SWEEP, results=tmp_path / "there", ray="local")
    assert_equal(tmp_path / "here/rates", tmp_path / "there/rates")


def test_an_automatic_budget_cuts_runs(tmp_path: Path) -> None:
    """The rate of the larger size is too low: it stays unknown whether it gets there."""
    rates = {"per_batch_size": {16: [0.1], 1437: [0.001]}}
    low = {"batch_size": [16, 1437], "optimizer.learning_rate": rates}
    keys = {"budget": "auto", "steps": 1000, "seed": 1, "sweep": low}
    results = kb.run_all(SWEEP | keys | {"name": "low"}, results=tmp_path)
    large = [result for result in results if result.row["batch_size"] == 1437]
    assert {result.status for result in large} == {"capped"}
    assert all(result.record["cap"]["is_limit"] for result in large)
    assert "the automatic budget ends" in large[0].message
    comparison = kb.compare(tmp_path / "low")
    assert comparison.table["unknown"].tolist() == [0, 1]
    messages = [c.message for c in comparison.caveats if c.code == "not_reached"]
    assert "cut off by the automatic budget" in messages[0]
