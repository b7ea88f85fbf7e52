"""What a person sees while runs go on: a line that moves, or plain lines where nothing can move."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from kerasbatch.cli.living_line import living_line
from kerasbatch.cli.terminal import note
from kerasbatch.errors import counted
from kerasbatch.runs.result import Result, Watcher
from kerasbatch.spec import sweep
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.steps import Plan

if TYPE_CHECKING:
    from kerasbatch.callbacks.progress import Progress

WIDE = 80
"""Columns of a terminal from which on a line holds all that there is to tell."""
PLAIN_INTERVAL = 5.0
"""Seconds between two lines of progress where the output is no terminal."""


def _columns(width: int) -> Iterator[ProgressColumn]:
    """Yield what a line of some width has room for, so that no number is cut."""
    if width >= WIDE:
        yield TextColumn("{task.description}", markup=False)
        yield BarColumn(None)
    yield TextColumn("step {task.completed:,.0f}/{task.total:,.0f}")
    if width >= WIDE:
        yield TextColumn("{task.fields[speed]}")
    yield TextColumn("{task.fields[loss]}")
    if width >= WIDE:
        yield TimeRemainingColumn()


class Display(Watcher):
    """Shows notices and progress on a console.

    Args:
        console: where to; the standard error, so that the results can be piped.
        quiet: show notices only.
        heed: called often while a training goes on; may raise to interrupt it.
        while_training: told when a training begins and when it ends.
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
        self._task: TaskID | None = None
        self._title = ""
        self._last_line = 0.0

    def __enter__(self) -> "Display":
        """Start the moving line."""
        if self._moving:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the moving line away."""
        if self._moving:
            self._bar.stop()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show that something of unknown length goes on."""
        if self._quiet:
            yield
        elif self._moving:
            with living_line(what):
                yield
        else:
            self._console.print(f"{what} ...")
            yield

    def notice(self, message: str) -> None:
        """Show what a person must know, also when quiet."""
        note(message, self._console)

    def start(self, single: SingleRun, plan: Plan, number: int, of: int) -> None:
        """Show the run that begins."""
        self._while_training(True)
        swept = ", ".join(f"{k.split('.')[-1]}={sweep.label(v)}" for k, v in single.swept.items())
        self._title = f"run {number}/{of} {swept}".rstrip() if of > 1 else single.spec.name
        self._last_line = time.monotonic()
        if self._moving:
            self._task = self._bar.add_task(
                self._title, total=plan.total_steps, speed="compiling", loss=""
            )
        elif not self._quiet:
            self._console.print(f"{self._title}: {counted(plan.total_steps, 'step')}")

    def progress(self, progress: "Progress") -> None:
        """Move the line, or write one every few seconds."""
        self._heed()
        speed = progress.examples_per_second
        shown_speed = f"{speed:,.0f} examples/s" if speed else ""
        loss = "" if progress.loss is None else f"loss {progress.loss:.4f}"
        if self._task is not None:
            self._bar.update(self._task, completed=progress.step, speed=shown_speed, loss=loss)
        elif not self._quiet and time.monotonic() - self._last_line >= PLAIN_INTERVAL:
            self._last_line = time.monotonic()
            left = progress.seconds_left
            self._console.print(
                f"{self._title}: step {progress.step:,}/{progress.total_steps:,}, "
                f"{shown_speed}, {loss}" + (f", {left:,.0f} s left" if left else ""),
                soft_wrap=True,
            )

    def finish(self, result: Result) -> None:
        """Forget the run's line."""
        self._while_training(False)
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
