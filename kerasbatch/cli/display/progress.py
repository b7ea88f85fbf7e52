"""The display of progress: progress bars on a terminal, plain lines elsewhere."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from kerasbatch.cache.progress import shown_by
from kerasbatch.cli.display.tables import duration
from kerasbatch.cli.terminal import print_note
from kerasbatch.runs.progress import RunInfo, SweepProgress, Watcher
from kerasbatch.runs.result import Result
from kerasbatch.text import counted, value_label
from kerasbatch.types import Progress

WIDE = 80
"""The terminal width, in characters, that is enough for all fields."""
PLAIN_INTERVAL = 5.0
"""The seconds between two plain lines of progress."""


def _columns(width: int) -> Iterator[ProgressColumn]:
    """Yield the columns that fit into a width, so that no number is cut."""
    if width >= WIDE:
        yield TextColumn("{task.description}", markup=False)
        yield BarColumn(None)
    yield TextColumn("{task.fields[count]}", markup=False)
    if width >= WIDE:
        yield TextColumn("{task.fields[speed]}", markup=False)
    yield TextColumn("{task.fields[loss]}", markup=False)
    if width >= WIDE:
        yield TextColumn("{task.fields[time_left]}", markup=False)


_EMPTY_FIELDS: dict[str, Any] = {"count": "", "speed": "", "loss": "", "time_left": ""}


class Display(Watcher):
    """Shows notices and progress on a console.

    Args:
        console: the console, on standard error so that results can be piped.
        quiet: show notices only.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._shows_bars = console.is_terminal and not quiet
        self._bar = Bar(*_columns(console.width), console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._running: dict[str, RunInfo] = {}
        self._last_line = -math.inf
        self._stack = ExitStack()

    def __enter__(self) -> "Display":
        """Start the progress bars."""
        if self._shows_bars:
            self._bar.start()
        self._stack.enter_context(shown_by(self.preparing))
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the progress bars."""
        self._stack.close()
        if self._shows_bars:
            self._bar.stop()

    @contextmanager
    def waiting_for(self, work: str) -> Iterator[None]:
        """Show work of unknown duration during which Python cannot redraw the terminal."""
        if not self._quiet:
            self._console.print(f"{work} ...")
        with shown_by(self._print_seldom):
            yield

    def notice(self, message: str) -> None:
        """Show a message, also when quiet."""
        print_note(message, self._console)

    def waiting(self) -> None:
        """Show that the runs are being checked."""
        if self._shows_bars:
            self._draw("", "checking the runs", total=None)
        elif not self._quiet and math.isinf(self._last_line):
            self._console.print("checking the runs ...")
            self._last_line = time.monotonic()

    def preparing(self, line: str) -> None:
        """Show the progress of work on data; without bars, a line every few seconds."""
        if self._shows_bars:
            self._draw("", line, total=None)
        else:
            self._print_seldom(line)

    def _print_seldom(self, line: str) -> None:
        """Print a line of progress, if the last one is some seconds old."""
        if not self._quiet and time.monotonic() - self._last_line >= PLAIN_INTERVAL:
            self._last_line = time.monotonic()
            self._console.print(line, soft_wrap=True)

    def start(self, run: RunInfo) -> None:
        """Show a run that begins."""
        self._running[run.run_id] = run
        self._last_line = time.monotonic()
        total, title = run.plan.total_steps, _title(run)
        if self._shows_bars:
            self._draw(run.run_id, title, total=total, count=_steps(0, total), speed="compiling")
        elif not self._quiet and run.is_alone:
            self._console.print(f"{title}: {counted(total, 'step')}")

    def progress(self, run: RunInfo, progress: Progress) -> None:
        """Update the bar of a run; without bars, print a line of a single run every few seconds."""
        fields = _fields(progress)
        if self._shows_bars:
            self._draw(run.run_id, _title(run), progress.total_steps, progress.step, **fields)
        elif not self._quiet and run.is_alone:
            line = ", ".join(field for field in fields.values() if field)
            self._print_seldom(f"{_title(run)}: step {line}")

    def finish(self, result: Result) -> None:
        """Remove the bar of a run; without bars, print a line."""
        run = self._running.pop(result.directory.name.removeprefix(".rerun-"), None)
        if run is None:
            return
        if (task := self._tasks.pop(run.run_id, None)) is not None:
            self._bar.remove_task(task)
        elif not self._quiet and not run.is_alone:
            self._console.print(_result_line(run, result), soft_wrap=True)

    def sweep_progress(self, progress: SweepProgress) -> None:
        """Show the progress of the sweep."""
        if not self._shows_bars or progress.total == 1:
            return
        failed = f"{progress.failed} failed" if progress.failed else ""
        seconds = progress.seconds_left
        self._draw(
            "",
            counted(progress.total, "run"),
            progress.total,
            progress.ended,
            count=f"{progress.ended}/{progress.total} ended",
            speed=failed,
            time_left="" if seconds is None else f"{duration(seconds)} left",
        )

    def _draw(
        self, key: str, title: str, total: float | None, completed: float = 0, **fields: Any
    ) -> None:
        """Draw one bar; the key is a run ID, or empty for the sweep."""
        if key not in self._tasks:
            self._tasks[key] = self._bar.add_task(title, total=total, **_EMPTY_FIELDS)
        self._bar.update(
            self._tasks[key], description=title, total=total, completed=completed, **fields
        )


def _title(run: RunInfo) -> str:
    if run.is_alone:
        return run.single.spec.name
    return f"{run.number}/{run.count} {_swept_values(run)}".rstrip()


def _swept_values(run: RunInfo) -> str:
    values = run.single.swept.items()
    return ", ".join(f"{key.split('.')[-1]}={value_label(value)}" for key, value in values)


def _steps(done: int, total: int) -> str:
    return f"{done:,}/{total:,}"


def _fields(progress: Progress) -> Mapping[str, str]:
    speed, seconds = progress.examples_per_second, progress.seconds_left
    return {
        "count": _steps(progress.step, progress.total_steps),
        "speed": f"{speed:,.0f} examples/s" if speed else "",
        "loss": "" if progress.loss is None else f"loss {progress.loss:.4f}",
        "time_left": "" if seconds is None else f"{duration(seconds)} left",
    }


def _result_line(run: RunInfo, result: Result) -> str:
    """Return the line of a finished run."""
    speed = result.row["steps_per_second"]
    outcome = f"{result.message}, {speed:,.0f} steps/s" if speed else result.message
    return f"{_title(run)}: {result.status}, {outcome}"
