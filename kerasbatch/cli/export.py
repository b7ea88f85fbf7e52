"""The command `export`: runs for TensorBoard or MLflow, and kept models for other programs."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from kerasbatch.cli.display.preflight import display_with_keras
from kerasbatch.cli.options import Trust
from kerasbatch.cli.terminal import open_console, print_note
from kerasbatch.errors import SpecError
from kerasbatch.text import counted
from kerasbatch.types import ModelFormat

if TYPE_CHECKING:
    from kerasbatch.analysis.exporters.run_export import ExportedRun


def export(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to export.")],
    to: Annotated[
        tuple[str, str],
        typer.Option(
            "--to",
            metavar="tensorboard DIR | mlflow URI | keras FILE | savedmodel DIR | onnx FILE",
            help="Event files, tracking URI, or the kept model of one run.",
        ),
    ],
    which: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Model to export: best, last, like checkpoint-1200."),
    ] = None,
    trust: Trust = False,
) -> None:
    """Export runs to TensorBoard or MLflow; or a kept model with its preprocessing inside."""
    kind, place = to
    if kind in get_args(ModelFormat):
        _export_model(paths, cast(ModelFormat, kind), Path(place), which, trust)
        return
    from kerasbatch.analysis.exporters import export as analysis
    from kerasbatch.analysis.loading.load import load

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


def _export_model(
    paths: list[Path], kind: ModelFormat, place: Path, which: str | None, trust: bool
) -> None:
    """Write the kept model of a run for other programs."""
    if len(paths) != 1:
        raise SpecError.at((), f"--to {kind} exports the model of one run; name one")
    display = display_with_keras(quiet=False, verbose=False, load_optional=trust)
    from kerasbatch.inference.saved_model import load_saved_model
    from kerasbatch.inference.serving import export_model

    with display, display.waiting_for("exporting"):
        export_model(load_saved_model(paths[0], which=which, trust=trust), kind, place)
    open_console().print(f"{place}: takes raw examples", markup=False, highlight=False)


def _quiet_mlflow() -> None:
    """Disable MLflow's telemetry and its messages about database tables."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # the default retries for minutes
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _track_progress(runs: "Iterable[ExportedRun]", count: int) -> "Iterable[ExportedRun]":
    from rich.progress import track

    return track(runs, "exporting", count, console=open_console(), transient=True)
