"""What a person sees while runs go on: lines that move, or plain lines where nothing can move."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from kerasbatch.cli.display.spinner import spinner
from kerasbatch.cli.display.tables import duration
from kerasbatch.cli.terminal import print_note
from kerasbatch.runs.progress import RunInfo, SweepProgress, Watcher
from kerasbatch.runs.result import Result
from kerasbatch.spec import sweep
from kerasbatch.text import counted
from kerasbatch.types import Progress

WIDE = 80
"""Columns of a terminal from which on a line holds all that there is to tell."""
PLAIN_INTERVAL = 5.0
"""Seconds between two lines of progress where the output is no terminal."""


def _columns(width: int) -> Iterator[ProgressColumn]:
    """Yield what a line of some width has room for, so that no number is cut."""
    if width >= WIDE:
        yield TextColumn("{task.description}", markup=False)
        yield BarColumn(None)
    yield TextColumn("{task.fields[count]}", markup=False)
    if width >= WIDE:
        yield TextColumn("{task.fields[speed]}", markup=False)
    yield TextColumn("{task.fields[loss]}", markup=False)
    if width >= WIDE:
        yield TextColumn("{task.fields[left]}", markup=False)


_NOTHING: dict[str, Any] = {"count": "", "speed": "", "loss": "", "left": ""}


class Display(Watcher):
    """Shows notices and progress on a console.

    Args:
        console: where to; the standard error, so that the results can be piped.
        quiet: show notices only.
        heed: called often while runs go on; may raise to interrupt them.
        while_training: told whether runs go on.
    """

    def __init__(
        self,
        console: Console,
        *,
        quiet: bool,
        heed: Callable[[], None] = lambda: None,
        while_training: Callable[[bool], None] = lambda goes_on: None,
    ) -> None:
        self._console, self._quiet = console, quiet
        self._heed, self._while_training = heed, while_training
        self._moving = console.is_terminal and not quiet
        self._bar = Bar(*_columns(console.width), console=console, transient=True)
        self._lines: dict[str, TaskID] = {}
        self._running: dict[str, RunInfo] = {}
        self._last_line = 0.0

    def __enter__(self) -> "Display":
        """Start the moving lines."""
        if self._moving:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the moving lines away."""
        self._while_training(False)
        if self._moving:
            self._bar.stop()

    @contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Show that something of unknown length goes on, in which Python cannot move."""
        if self._quiet:
            yield
        elif self._moving:
            with spinner(what):
                yield
        else:
            self._console.print(f"{what} ...")
            yield

    def notice(self, message: str) -> None:
        """Show what a person must know, also when quiet."""
        print_note(message, self._console)

    def waiting(self) -> None:
        """Show that the runs are being checked."""
        if self._moving:
            self._draw("", "checking the runs", total=None)
        elif not self._quiet and not self._last_line:
            self._console.print("checking the runs ...")
            self._last_line = time.monotonic()

    def heed(self) -> None:
        """Let a signal interrupt."""
        self._heed()

    def start(self, running: RunInfo) -> None:
        """Show a run that begins."""
        self._while_training(True)
        self._running[running.run_id] = running
        self._last_line = time.monotonic()
        total, title = running.plan.total_steps, _title(running)
        if self._moving:
            self._draw(
                running.run_id, title, total=total, count=_steps(0, total), speed="compiling"
            )
        elif not self._quiet and running.of == 1:
            self._console.print(f"{title}: {counted(total, 'step')}")

    def progress(self, running: RunInfo, progress: Progress) -> None:
        """Move a line; of a single run, write one every few seconds."""
        told = _told(progress)
        if self._moving:
            self._draw(running.run_id, _title(running), progress.total_steps, progress.step, **told)
        elif not self._quiet and running.of == 1:
            if time.monotonic() - self._last_line < PLAIN_INTERVAL:
                return
            self._last_line = time.monotonic()
            parts = [f"step {told['count']}", told["speed"], told["loss"], told["left"]]
            line = ", ".join(part for part in parts if part)
            self._console.print(f"{_title(running)}: {line}", soft_wrap=True)

    def finish(self, result: Result) -> None:
        """Take a run's line away; in a pipe, write one."""
        running = self._running.pop(result.directory.name.removeprefix(".rerun-"), None)
        if running is None:
            return
        if (line := self._lines.pop(running.run_id, None)) is not None:
            self._bar.remove_task(line)
        elif not self._quiet and running.of > 1:
            self._console.print(_line(running, result), soft_wrap=True)

    def standing(self, standing: SweepProgress) -> None:
        """Show where the whole sweep stands."""
        if not self._moving or standing.total == 1:
            return
        failed = f"{standing.failed} failed" if standing.failed else ""
        left = standing.seconds_left
        self._draw(
            "",
            counted(standing.total, "run"),
            standing.total,
            standing.ended,
            count=f"{standing.ended}/{standing.total} ended",
            speed=failed,
            left="" if left is None else f"{duration(left)} left",
        )

    def _draw(
        self, key: str, title: str, total: float | None, completed: float = 0, **fields: Any
    ) -> None:
        """Draw one line; the one for the whole has no name."""
        if key not in self._lines:
            self._lines[key] = self._bar.add_task(title, total=total, **_NOTHING)
        self._bar.update(
            self._lines[key], description=title, total=total, completed=completed, **fields
        )


def _title(running: RunInfo) -> str:
    if running.of == 1:
        return running.single.spec.name
    return f"{running.number}/{running.of} {_swept(running)}".rstrip()


def _swept(running: RunInfo) -> str:
    values = running.single.swept.items()
    return ", ".join(f"{key.split('.')[-1]}={sweep.label(value)}" for key, value in values)


def _steps(done: int, total: int) -> str:
    return f"{done:,}/{total:,}"


def _told(progress: Progress) -> Mapping[str, str]:
    speed, left = progress.examples_per_second, progress.seconds_left
    return {
        "count": _steps(progress.step, progress.total_steps),
        "speed": f"{speed:,.0f} examples/s" if speed else "",
        "loss": "" if progress.loss is None else f"loss {progress.loss:.4f}",
        "left": "" if left is None else f"{duration(left)} left",
    }


def _line(running: RunInfo, result: Result) -> str:
    """Return the line of a finished run: its outcome in words."""
    speed = result.row["steps_per_second"]
    told = f"{result.message}, {speed:,.0f} steps/s" if speed else result.message
    return f"{_title(running)}: {result.status}, {told}"
