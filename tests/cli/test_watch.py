"""`kerasbatch watch`: what another process trains, read from its files only."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from patience import limit
from typer.testing import CliRunner
from worker_support import DIGITS, start, wait_for

import kerasbatch as kb
from kerasbatch.analysis.loading import running
from kerasbatch.cli.app import app

ENDLESS = DIGITS | {"epochs": 100_000, "batch_size": 1, "sweep": {"seed": [0, 1, 2]}}


def watch(*arguments: Any) -> str:
    result = CliRunner().invoke(app, ["watch", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return re.sub(r"\s+", " ", result.output)


@pytest.fixture
def unfinished(small: dict[str, Any], tmp_path: Path) -> Path:
    """An experiment of three runs, of which one has not ended."""
    results = kb.sweep(small, seed=[0, 1, 2], epochs=4, results=tmp_path)
    (results[0].directory / "record.json").unlink()
    return results[0].directory.parent


def test_a_run_in_training(unfinished: Path) -> None:
    """Its owner is a process of this machine."""
    (unfinished / ".owner").write_text(f"{os.getpid()}\n")
    (experiment,) = running.running_experiments(unfinished.parent)
    assert experiment.is_trained
    assert (experiment.total, experiment.ended) == (3, {"done": 2})
    (run,) = experiment.runs
    history = kb.load(unfinished).history
    last = history[history["run_id"] == run.run_id].iloc[-1]
    assert (run.step, run.done) == (last["step"], 1.0)
    assert run.metrics["val_loss"] == last["val_loss"]
    assert run.steps_per_second == pytest.approx(last["step"] / last["seconds"])
    assert run.seconds_left == 0
    text = watch(unfinished)
    assert "in training; 2 of 3 runs ended (2 done)" in text
    assert "100%" in text


@pytest.mark.parametrize("owner", [None, "999999999\n", "x\n", "9" * 50])
def test_a_run_whose_process_was_killed(owner: str | None, unfinished: Path) -> None:
    """Its files are old, and its process is gone."""
    if owner is not None:
        (unfinished / ".owner").write_text(owner)
    (folder,) = (path.parent for path in unfinished.glob("*/spec.yaml") if not _ended(path.parent))
    past = time.time() - 3600
    for path in (*folder.iterdir(), folder):
        os.utime(path, (past, past))
    (experiment,) = running.running_experiments(unfinished)
    assert not experiment.is_trained
    assert experiment.runs[0].is_old
    assert "no process trains it" in watch(unfinished)


def _ended(folder: Path) -> bool:
    return (folder / "record.json").exists()


def test_a_run_of_another_machine(unfinished: Path) -> None:
    """Its process has no number here, and its files change."""
    (unfinished / ".owner").write_text("999999999\n")
    assert running.running_experiments(unfinished)[0].is_trained


def test_of_several_experiments(unfinished: Path, small: dict[str, Any]) -> None:
    """Those in training are shown; without any, the last one."""
    kb.run(small | {"name": "later"}, results=unfinished.parent)
    assert watch(unfinished.parent).startswith("later: no process trains it")
    (unfinished / ".owner").write_text(f"{os.getpid()}\n")
    assert watch(unfinished.parent).startswith("experiment: in training")


def test_nothing_to_watch(tmp_path: Path) -> None:
    assert watch(tmp_path) == "no experiment "


@pytest.mark.slow
def test_it_follows_a_sweep_and_writes_nothing(tmp_path: Path) -> None:
    """Until Ctrl-C, which ends the view and not the sweep."""
    sweep = start(ENDLESS, tmp_path, "--jobs", "1")
    wait_for(lambda: any(path.stat().st_size > 200 for path in tmp_path.glob("spec/*/history.csv")))
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "kerasbatch", "watch", str(tmp_path), "--interval", "0.2"]
    names = sorted(path for path in tmp_path.rglob("*") if path.suffix != ".writing")
    view = subprocess.Popen(command, stdout=end, stderr=end)
    text, late = "", time.monotonic() + limit(30)
    while len(re.findall("in training", text)) < 3:
        assert time.monotonic() < late, text
        text += os.read(terminal, 4096).decode()
    view.send_signal(signal.SIGINT)
    assert view.wait(limit(20)) == 0
    assert sorted(path for path in tmp_path.rglob("*") if path.suffix != ".writing") == names
    assert sweep.poll() is None
    sweep.send_signal(signal.SIGINT)
    sweep.communicate(timeout=limit(60))
    os.close(terminal)
    os.close(end)
