"""`kerasbatch watch`: what another process trains, read from its files only."""

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from patience import limit
from small_specs import SMALL
from typer.testing import CliRunner
from worker_support import DIGITS, start, wait_for

import kerasbatch as kb
from kerasbatch.analysis.loading import running
from kerasbatch.cli.app import app
from kerasbatch.records.owner import write_owner

HOST = socket.gethostname()
ENDLESS = DIGITS | {"epochs": 100_000, "batch_size": 1, "sweep": {"seed": [0, 1, 2]}}


def watch(*arguments: Any) -> str:
    result = CliRunner().invoke(app, ["watch", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return re.sub(r"\s+", " ", result.output)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment of three runs, of which one has not ended."""
    results = kb.sweep(SMALL, seed=[0, 1, 2], epochs=4, results=tmp_path_factory.mktemp("trained"))
    (results[0].directory / "record.json").unlink()
    return results[0].directory.parent


@pytest.fixture
def unfinished(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "results" / trained.name))


def test_a_run_in_training(unfinished: Path) -> None:
    """Its owner is a process of this machine."""
    write_owner(unfinished)
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


@pytest.mark.parametrize(
    "owner", [None, f"999999999 1.0 {HOST}\n", f"1 1.0 {HOST}\n", "x\n", "9" * 50]
)
def test_a_run_whose_process_was_killed(owner: str | None, unfinished: Path) -> None:
    """Its files are old, and its process is gone."""
    if owner is not None:
        (unfinished / ".owner").write_text(owner)
    age(unfinished)
    (experiment,) = running.running_experiments(unfinished)
    assert not experiment.is_trained
    assert experiment.runs[0].is_old
    assert "no process trains it" in watch(unfinished)


def age(experiment: Path) -> None:
    """Let the files of unfinished runs be an hour old."""
    past = time.time() - 3600
    for folder in (path.parent for path in experiment.glob("*/spec.yaml")):
        for path in () if _ended(folder) else (*folder.iterdir(), folder):
            os.utime(path, (past, past))


def _ended(folder: Path) -> bool:
    return (folder / "record.json").exists()


def test_a_run_of_another_machine(unfinished: Path) -> None:
    """Its process cannot be looked up; it is shown until the file is gone."""
    (unfinished / ".owner").write_text("12 1.0 elsewhere\n")
    age(unfinished)
    assert running.running_experiments(unfinished)[0].is_trained


@pytest.mark.parametrize("cell", ["", "inf", "-1"])
def test_odd_cells_of_a_history(cell: str, unfinished: Path) -> None:
    """A stranger may have written the files."""
    (folder,) = (path.parent for path in unfinished.glob("*/spec.yaml") if not _ended(path.parent))
    columns = "epoch,step,examples,seconds,learning_rate,loss"
    (folder / "history.csv").write_text(f"{columns}\n1,8,120,{cell},0.1,0.5\n")
    (run,) = running.running_experiments(unfinished)[0].runs
    assert (run.step, run.seconds_left, run.steps_per_second) == (8, 0.0, None)
    assert "0.5000" in watch(unfinished)


def test_of_several_experiments(unfinished: Path, small: dict[str, Any]) -> None:
    """Those in training are shown; without any, the last one."""
    age(unfinished)
    kb.run(small | {"name": "later"}, results=unfinished.parent)
    assert watch(unfinished.parent).startswith("later: no process trains it")
    write_owner(unfinished)
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
