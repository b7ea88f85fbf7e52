"""The command `plot`: draw a picture of runs."""

import io
from pathlib import Path
from typing import Annotated

import typer

from kerasbatch.analysis.plots.registry import KINDS
from kerasbatch.cli import options
from kerasbatch.cli.options import AllRuns, Target
from kerasbatch.errors import Fault, SpecError

FORMATS = (".png", ".svg")
DOTS_PER_INCH = 150


def plot(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to draw.")],
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help=f"Kind of plot: {', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="PNG or SVG file to write.")
    ],
    x: Annotated[
        str | None,
        typer.Option(
            "--x",
            metavar="COST",
            help="Horizontal axis of curves and noise: steps, examples or seconds.",
        ),
    ] = None,
    target: Target = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Also draw the fitted curve of steps.")
    ] = False,
    all_runs: AllRuns = False,
    language: Annotated[
        str, typer.Option(metavar="NAME", help="Language of the texts: en or ko.")
    ] = "en",
) -> None:
    """Draw runs: training curves, costs by batch size, losses, or paths over contours."""
    if output.suffix.lower() not in FORMATS:
        message = f"found {output.name!r}; must end with {' or '.join(FORMATS)}"
        raise SpecError([Fault(("-o",), message)])
    if faults := options.folder_faults(output, "-o"):
        raise SpecError(faults)
    from matplotlib import rc_context

    from kerasbatch.analysis.plots.plot import plot as draw
    from kerasbatch.atomic_files import write_bytes

    figure = draw(
        list(paths),
        kind,
        x=x,  # type: ignore[arg-type]  # plot checks it
        target=target,
        fit=fit,
        all_runs=all_runs,
        language=language,  # type: ignore[arg-type]  # plot checks it
    )
    picture = io.BytesIO()
    file_format = output.suffix[1:].lower()
    metadata = {"Date": None} if file_format == "svg" else None
    with rc_context({"svg.hashsalt": "kerasbatch"}):  # reproducible files
        figure.savefig(picture, format=file_format, dpi=DOTS_PER_INCH, metadata=metadata)
    write_bytes(output, picture.getvalue())
