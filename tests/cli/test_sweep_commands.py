"""Sweeps on the command line: the plan and its time, lines, tables, exit codes."""

import io
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from patience import limit
from rich.console import Console
from small_specs import LINE
from worker_support import evil, start

import kerasbatch as kb
from kerasbatch.cli.display import progress
from kerasbatch.cli.display.progress import Display
from kerasbatch.runs.result import Result
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.types import Progress

SWEEP = LINE | {"record": [], "sweep": {"batch_size": [5, "full"], "seed": [0, 1]}}


@pytest.mark.slow
def test_a_plan_ends_with_totals_and_tells_the_time(tmp_path: Path) -> None:
    """Steps and examples of all runs; a line for each program, and how long all will take."""
    process = start(SWEEP, tmp_path, "--time", "--jobs", "2", command="plan")
    out, err = process.communicate(timeout=limit(60))
    assert process.returncode == 0, err
    assert "in all 4 runs at 2 batch sizes, 36 steps, 288 examples seen" in out
    lines = [line.split() for line in out.splitlines()]
    assert [line[:2] for line in lines if line[-1:] == ["fused"]] == [["5", "2"], ["24", "2"]]
    assert re.search(r"4 runs, by 2 workers: \d+ s to \d+ s, [\d.]+ s to load Keras", out)
    assert not (tmp_path / "spec").exists()


@pytest.mark.slow
def test_a_sweep_that_fails_in_part(tmp_path: Path) -> None:
    """A line per finished run, a table of what went wrong, the command that tries it again."""
    process = start(evil("leave", "honest"), tmp_path, "--trust", "--jobs", "5")
    out, err = process.communicate(timeout=limit(60))
    assert process.returncode == 1
    ended = [line for line in err.splitlines() if line[:4] in ("1/2 ", "2/2 ")]
    assert len(ended) == 2
    assert any("crashed, its process ended itself with exit code 3" in line for line in ended)
    assert "1 run did not finish:" in out
    again = next(line for line in out.splitlines() if line.startswith("to retry what did not"))
    command = shlex.split(again.partition(": ")[2])
    assert command[:2] == ["kerasbatch", "run"]
    assert command[3:6] == ["--trust", "--jobs", "5"]


@pytest.mark.parametrize(
    ("options", "word"),
    [(("--jobs", "0"), "0"), (("--jobs", "two"), "two"), (("--timeout", "0"), "0")],
)
def test_impossible_options(tmp_path: Path, options: tuple[str, str], word: str) -> None:
    """Exit code 2, before anything is loaded or made."""
    process = start(SWEEP, tmp_path, *options)
    _, err = process.communicate(timeout=limit(60))
    assert process.returncode == 2
    assert options[0] in err
    assert word in err
    assert not (tmp_path / "spec").exists()


class _Terminal:
    """A display on a terminal that remembers what it shows."""

    def __init__(self, width: int) -> None:
        self.shown = io.StringIO()
        console = Console(file=self.shown, force_terminal=True, width=width, highlight=False)
        self.display = Display(console, quiet=False)

    def __enter__(self) -> "_Terminal":
        self.display.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.text = "\n".join(
            "".join(map(str, self._line(task))) for task in self.display._bar.tasks
        )
        self.display.__exit__(*error)

    def _line(self, task: Any) -> list[Any]:
        return [task.description, " ", *task.fields.values(), " ", task.completed]


def _running(number: int) -> kb.RunInfo:
    source = reader.spec_from_dict(SWEEP)
    single = expand(source)[number]
    plan = kb.plan(24, batch_size=5, epochs=3)
    return kb.RunInfo(f"run-{number}", single, plan, number + 1, 4)


def test_one_display_for_all_runs() -> None:
    """A line for the whole with the time left, one for every run that goes on."""
    with _Terminal(120) as terminal:
        display = terminal.display
        display.waiting()
        for number in (0, 1):
            display.start(_running(number))
        display.progress(_running(1), Progress(7, 15, 2, 1234.0, 0.25, 8.0))
        display.sweep_progress(kb.SweepProgress(1, 1, 4, 75.0))
    whole, first, second = terminal.text.splitlines()
    assert whole.startswith("4 runs 1/4 ended1 failed1:15 left")
    assert first.startswith("1/4 batch_size=5, seed=0 0/15compiling")
    assert second.startswith("2/4 batch_size=5, seed=1 7/151,234 examples/sloss 0.25008 s left")


def test_a_single_run_prints_lines_where_no_bar_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe, every few seconds."""
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.0)
    single = expand(reader.spec_from_dict(LINE))[0]
    run = kb.RunInfo("run", single, kb.plan(24, batch_size=5, epochs=3), 1, 1)
    out = io.StringIO()
    display = Display(Console(file=out, width=200), quiet=False)
    display.start(run)
    display.progress(run, Progress(7, 15, 2, 1234.0, 0.25, 8.0))
    assert out.getvalue().splitlines() == [
        "experiment: 15 steps",
        "experiment: step 7/15, 1,234 examples/s, loss 0.2500, 8 s left",
    ]


def test_a_line_goes_with_its_run(tmp_path: Path) -> None:
    """And nothing is left of it."""
    with _Terminal(60) as terminal:
        terminal.display.start(_running(2))
        record = {"status": "done", "message": "", "row": {"steps_per_second": 3.0}}
        terminal.display.finish(Result(tmp_path / "run-2", record))
    assert terminal.text == ""


def test_lines_in_a_pipe(tmp_path: Path) -> None:
    """One per finished run of a sweep."""
    console = Console(file=io.StringIO(), force_terminal=False, width=80)
    display = Display(console, quiet=False)
    record = {"status": "done", "message": "took 15 of 15 steps", "row": {"steps_per_second": 3.2}}
    with display:
        display.start(_running(3))
        display.progress(_running(3), Progress(7, 15, 2, 1234.0, 0.25, 8.0))
        display.finish(Result(tmp_path / "run-3", record))
    assert console.file.getvalue() == (  # type: ignore[attr-defined]
        "4/4 batch_size=full, seed=1: done, took 15 of 15 steps, 3 steps/s\n"
    )
