"""The command `export`: export runs to TensorBoard or MLflow."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli.terminal import open_console, print_note
from kerasbatch.text import counted

if TYPE_CHECKING:
    from kerasbatch.analysis.exporters.run_export import ExportedRun


def export(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to export.")],
    to: Annotated[
        tuple[str, str],
        typer.Option(
            "--to",
            metavar="tensorboard DIR | mlflow URI",
            help="Log directory of the event files, or tracking URI of the runs.",
        ),
    ],
) -> None:
    """Export runs to TensorBoard or MLflow; skip data that is already there."""
    from kerasbatch.analysis.exporters import export as analysis
    from kerasbatch.analysis.loading.load import load

    kind, place = to
    analysis.check_exporter(kind)
    loaded = load(list(paths))
    _quiet_mlflow()
    summary = analysis.export(loaded, kind, place, _track_progress)
    for run, problem in loaded.problems.items():
        print_note(f"{run}: {problem}; it is left out")
    open_console().print(
        f"{counted(summary.runs, 'run')} in {place}, "
        f"{summary.new} of them new or longer than before",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _quiet_mlflow() -> None:
    """Disable MLflow's telemetry and its messages about database tables."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # the default retries for minutes
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _track_progress(runs: "Iterable[ExportedRun]", count: int) -> "Iterable[ExportedRun]":
    from rich.progress import track

    return track(runs, "exporting", count, console=open_console(), transient=True)
