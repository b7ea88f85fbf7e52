"""The command `watch`: show runs that another process trains."""

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.terminal import open_console

if TYPE_CHECKING:
    from rich.console import Console

    from kerasbatch.analysis.loading.running import RunningExperiment


def watch(
    path: Annotated[
        Path,
        typer.Argument(metavar="RESULTS", help="Results folder, or an experiment or a run in it."),
    ] = Path("results"),
    interval: Annotated[
        str, typer.Option(metavar="SECONDS", help="Time between two looks at the files.")
    ] = "2",
    once: Annotated[
        bool, typer.Option("--once", help="Show the state, and end; as in a pipe.")
    ] = False,
) -> None:
    """Show runs that another process trains, from their files; it writes none."""
    from kerasbatch.analysis.loading.running import running_experiments

    seconds = options.seconds(interval, "--interval", "2") or 0.0
    console = open_console(errors=False)
    with console.status("reading ..."):
        experiments = running_experiments(path)
    if once or not console.is_terminal or not _any_trained(experiments):
        _print(console, experiments)
        return
    _follow(console, path, experiments, seconds)


def _follow(
    console: "Console", path: Path, experiments: "list[RunningExperiment]", seconds: float
) -> None:
    """Show the experiments until no process trains them."""
    from rich.live import Live

    from kerasbatch.analysis.loading.running import running_experiments
    from kerasbatch.cli.display.running import running_view

    view = Live(running_view(experiments), console=console, auto_refresh=False)
    with contextlib.suppress(KeyboardInterrupt), view as live:  # Ctrl-C ends the view only
        while _any_trained(experiments):
            time.sleep(seconds)
            with contextlib.suppress(FileNotFoundError):  # its process renames a directory
                experiments = running_experiments(path)
            live.update(running_view(experiments), refresh=True)


def _print(console: "Console", experiments: "list[RunningExperiment]") -> None:
    from kerasbatch.cli.display.running import running_view

    console.print(running_view(experiments))


def _any_trained(experiments: "list[RunningExperiment]") -> bool:
    return any(experiment.is_trained for experiment in experiments)
