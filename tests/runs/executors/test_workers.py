"""Sweeps by workers: what is lost with one of them, and what is not."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from fake_executor import SPEC, FakeExecutor, train
from patience import limit
from run_support import run_here
from small_specs import LINE
from worker_support import DIGITS, evil, histories

import kerasbatch as kb
from kerasbatch.records.table_writer import TableWriter
from kerasbatch.runs.executors.base import RunQueue
from kerasbatch.runs.executors.ray.mailbox import Mailbox
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.stop_request import StopRequest


class Killer(kb.Watcher):
    """Kills the worker that has begun a run of batch size 1, in mid-epoch, once."""

    def __init__(self) -> None:
        self.killed = 0

    def progress(self, running: kb.RunInfo, progress: Any) -> None:
        if running.plan.batch_size == 1 and not self.killed:
            for child in psutil.Process().children():
                if "spawn_main" in " ".join(child.cmdline()):
                    os.kill(child.pid, 9)
                    self.killed += 1


LONG = LINE | {
    "data": {"name": "line", "examples": 30_000},
    "record": [],
    "epochs": 100,
    "evaluate_every": {"epochs": 25},
}


@pytest.mark.slow
def test_a_killed_worker_costs_its_run_only(tmp_path: Path) -> None:
    """The others go on; the same command trains what is missing, and keeps what is there."""
    spec, killer = LONG | {"sweep": {"batch_size": [1, 100, "full"]}}, Killer()
    results = kb.run_all(spec, results=tmp_path, jobs=1, watcher=killer)
    assert killer.killed == 1
    assert [result.status for result in results] == ["crashed", "done", "done"]
    crashed = results[0]
    assert crashed.message.startswith("its process was ended by signal 9, SIGKILL, after ")
    assert 0 < crashed.row["observed_steps"] < 3_000_000
    assert crashed.row["step_check"] == "ended_early: crashed"
    assert crashed.row["train_seconds"] is crashed.row["peak_memory_mb"] is None
    again = kb.run_all(spec, results=tmp_path, jobs=1)
    assert [result.reused for result in again] == [False, True, True]
    table = pd.read_csv(tmp_path / "experiment" / "runs.csv")
    assert table["status"].tolist() == ["done"] * 3
    assert table["batch_size"].tolist() == [1, 100, 30_000]
    here = run_here(spec, tmp_path / "here")
    pd.testing.assert_frame_equal(histories(again), histories(here), check_exact=True)


@pytest.mark.slow
def test_convolutions_with_xla_by_one_worker_and_by_two(tmp_path: Path) -> None:
    """Equal histories, bit for bit."""
    spec = DIGITS | {"model": "cnn", "epochs": 30, "sweep": {"batch_size": [4, 100]}}
    one, two = (kb.run_all(spec, results=tmp_path / str(jobs), jobs=jobs) for jobs in (1, 2))
    records = [json.loads((result.directory / "record.json").read_text()) for result in one]
    assert any("convolutions as matrix products" in record["engine"]["why"] for record in records)
    pd.testing.assert_frame_equal(histories(one), histories(two), check_exact=True)


def test_the_sweep_of_a_script_without_a_guard(tmp_path: Path) -> None:
    """Its workers do not run the script again, and it imports no TensorFlow."""
    script = tmp_path / "script.py"
    spec = LINE | {"record": [], "sweep": {"batch_size": [5, "full"]}}
    script.write_text(
        "import sys\nimport kerasbatch as kb\nprint('once')\n"
        f"results = kb.run_all({spec!r}, results={str(tmp_path)!r}, jobs=2)\n"
        "print([result.status for result in results], 'tensorflow' in sys.modules)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, timeout=limit(60)
    )
    assert done.stdout == "once\n['done', 'done'] False\n"


@pytest.mark.slow
def test_a_worker_that_dies_before_it_can_train(tmp_path: Path) -> None:
    """The error says how; no directory is made."""
    spec = evil("dies_while_it_is_built")
    with pytest.raises(kb.WorkerError, match="its process ended itself with exit code 5"):
        kb.run_all(spec, results=tmp_path, trust=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_a_run_is_said_by_its_worker(tmp_path: Path) -> None:
    """As a fault of the spec, with its place; no directory is made."""
    layers = [[{"Dense": {"units": units}}] for units in (1, 2)]
    grid = {"model.layers": layers}
    with pytest.raises(kb.SpecError, match="the model gives 2 numbers for an example"):
        kb.run_all(LINE | {"record": [], "sweep": grid}, results=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_node_is_gone_is_begun_anew(tmp_path: Path) -> None:
    """Up to three times; then it has crashed."""

    class Homeless(FakeExecutor):
        def work(self, queue: RunQueue, stop: StopRequest) -> bool:
            for _ in range(3):
                run = queue.next_run(0)
                assert run is not None
                assert run.single.spec.seed == 1
                queue.on_failure(run, WorkerFailure("crashed", "its node is gone", retry=True))
            return super().work(queue, stop)

    spec = SPEC | {"sweep": {"seed": [0, 1]}}
    notices: list[str] = []
    watcher = kb.Watcher()
    watcher.notice = notices.append  # type: ignore[method-assign]
    results = train(spec, tmp_path, executor=Homeless, watcher=watcher)
    assert [result.status for result in results] == ["done", "crashed"]
    assert notices == ["seed=1: its node is gone; it is trained again"] * 2


@pytest.mark.parametrize("options", [{"jobs": 0}, {"jobs": -1}, {"timeout": 0.0}])
def test_impossible_options(small: dict[str, Any], tmp_path: Path, options: Any) -> None:
    """A clear error."""
    with pytest.raises(kb.SpecError, match="must be"):
        kb.run_all(small | {"sweep": {"seed": [0, 1]}}, results=tmp_path, **options)


class Presser(kb.Watcher):
    """Presses Ctrl-C when a run goes on, and tells nobody."""

    def __init__(self) -> None:
        self.pressed = 0

    def progress(self, running: kb.RunInfo, progress: Any) -> None:
        if not self.pressed:
            self.pressed += 1
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_in_a_script_keeps_the_rows(tmp_path: Path) -> None:
    """Without the command line's own handlers; the old handler is back in the end."""
    spec = LONG | {"epochs": 100_000, "sweep": {"batch_size": [1, 100]}}
    watcher, seconds = Presser(), limit(60)
    results = kb.run_all(spec, results=tmp_path, jobs=1, watcher=watcher, timeout=seconds)
    assert [result.status for result in results] == ["interrupted"]
    assert results[0].row["observed_steps"] > 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_rows_that_never_came_are_missed() -> None:
    """A gap in a table is an error, never silence."""
    tables = TableWriter(None)  # type: ignore[arg-type]  # nothing is written
    with pytest.raises(ValueError, match="rows from 1 on, and 0 came"):
        tables.put("steps.csv", 1, ({"step": 1},), ("step",))
    tables.put("history.csv", 0, ({"step": 0},), ("step",))
    with pytest.raises(ValueError, match="rows from 2 on, and 1 came"):
        tables.put("history.csv", 2, ({"step": 2},), ("step",))


def test_the_mailbox_forgets_nothing_unseen() -> None:
    """Whoever took and was interrupted takes it again."""

    async def talk() -> None:
        box = Mailbox()
        assert await box.take(0.01, 0) == (0, [])
        await box.order("one", "stop")
        assert await box.send("one", "a") is True
        assert await box.send("two", "b") is False
        assert await box.take(0.01, 0) == (0, [("one", "a"), ("two", "b")])
        assert await box.take(0.01, 1) == (1, [("two", "b")])
        assert await box.next_orders("one", 0.01) == ["stop"]
        assert await box.next_orders("one", 0.01) == []
        assert await box.take(0.01, 2) == (2, [])

    asyncio.run(talk())
