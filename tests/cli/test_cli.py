"""The command line: what it prints, how it exits, how fast it answers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from patience import limit
from small_specs import FLOWERS
from typer.testing import CliRunner

from kerasbatch.cli import app

HERE = Path(__file__).parents[2]
SPEC = FLOWERS


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "flowers.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def kerasbatch(
    *arguments: object, cwd: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kerasbatch", *map(str, arguments)]
    env = os.environ | {"COLUMNS": "120"} | environment
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=limit(60)
    )


def answer(*arguments: str) -> str:
    result = CliRunner().invoke(app.app, arguments, env={"COLUMNS": "120"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_calculator() -> None:
    """10 examples, 2 epochs, batch 4: 6 steps, the notes say 5; the batches are drawn."""
    text = answer("steps", "10", "2", "4")
    assert "total steps" in text
    assert "10 = 2 x 4 + 2" in text
    assert "epoch 2  [8 2 1 0] [5 6 7 4] [3 9]" in text
    assert "the same, because 100 divides 100" in answer("steps", "100", "1", "full")


def test_plan_trains_nothing_and_loads_no_tensorflow(spec: Path, tmp_path: Path) -> None:
    """A sweep has one line per run."""
    code = (
        "import sys\n"
        "sys.argv[1:] = ['plan', sys.argv[1], '--set', 'sweep={batch_size: [7, full]}']\n"
        "from kerasbatch.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'sklearn'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(spec)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["7", "120", "7", "18", "1", "2", "36", "34.29", "240"] in lines
    assert ["full", "120", "120", "1", "120", "2", "2", "2", "240"] in lines


def test_a_run_ends_with_a_table_and_is_silent_otherwise(spec: Path, tmp_path: Path) -> None:
    """Planned beside observed, the notes' number with the reason, and where the files are."""
    done = kerasbatch("run", spec, "--quiet", cwd=tmp_path, KERAS_MAX_EPOCHS="1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == (
        "note: KERAS_MAX_EPOCHS=1 is ignored: it would cut the training short"
    )
    for words in (
        "steps planned",
        "16",
        "ok",
        "val_accuracy",
        "120 = 7 x 16 + 8",
        "files: results",
    ):
        assert words in done.stdout
    runs = pd.read_csv(tmp_path / "results" / "flowers" / "runs.csv")
    assert runs["status"].tolist() == ["done"]
    assert runs["observed_steps"].tolist() == [16]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "missing.yaml"], 2, "missing.yaml: there is no such file"),
        (
            ["run", "flowers.yaml", "--set", "batch_size=0"],
            2,
            "--set batch_size=0: batch_size: found 0",
        ),
        (["run", "flowers.yaml", "--set", "batch_size=121"], 2, "120 training examples"),
        (["plan", "flowers.yaml", "--set", "batch_size=121"], 2, "120 training examples"),
        (["run", "."], 2, "is not a file"),
        (["run"], 2, "Missing argument"),
        (["steps", "5", "1", "x"], 2, "must be a whole number, or full"),
        (["run", "flowers.yaml", "--set", "optimizer.learning_rate=1e29"], 1, "diverged"),
    ],
)
def test_exit_codes(
    spec: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    """2 for a wrong spec or command line, with no directory made; 1 for a run that diverged."""
    done = kerasbatch(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "results").exists() == (code == 1)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "kill"]
)
def test_signals(spec: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Interrupted or terminated, the rows are kept and the status says so."""
    command = [sys.executable, "-m", "kerasbatch", "run", str(spec), "--set", "epochs=1000000"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for_history(tmp_path / "results" / "flowers")
            process.send_signal(number)
            assert process.wait(timeout=limit(20)) == code
        finally:
            process.kill()
    runs = pd.read_csv(tmp_path / "results" / "flowers" / "runs.csv")
    assert runs["status"].tolist() == ["interrupted"]
    assert runs["observed_steps"].iloc[0] > 0
    assert runs["step_check"].tolist() == ["ended_early: interrupted"]


def _wait_for_history(experiment: Path) -> None:
    deadline = time.monotonic() + limit(60)
    while time.monotonic() < deadline:
        for file in experiment.glob("*/history.csv"):
            if len(file.read_text(encoding="utf-8").splitlines()) > 3:
                return
        time.sleep(0.1)
    raise AssertionError("the training did not begin")
