"""The command `plot`: pictures of runs."""

import io
from pathlib import Path
from typing import Annotated

import typer

from kerasbatch.analysis.plots.registry import KINDS
from kerasbatch.cli import options
from kerasbatch.cli.options import Target
from kerasbatch.errors import Fault, SpecError

FORMATS = (".png", ".svg")
DOTS_PER_INCH = 150


def plot(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to draw.")],
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help=f"{', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A file .png or .svg.")
    ],
    x: Annotated[
        str | None,
        typer.Option("--x", metavar="COST", help="Of curves: steps, examples or seconds."),
    ] = None,
    target: Target = None,
    fit: Annotated[bool, typer.Option("--fit", help="Draw the fitted curve of steps too.")] = False,
) -> None:
    """Draw runs: training curves, costs by batch size, losses, or paths over contours."""
    if output.suffix.lower() not in FORMATS:
        found = f"found {output.name!r}; must end with {' or '.join(FORMATS)}"
        raise SpecError([Fault(("-o",), found)])
    if faults := options.folder_faults(output, "-o"):
        raise SpecError(faults)
    from matplotlib import rc_context

    from kerasbatch.analysis.plots.plot import plot as draw
    from kerasbatch.records.files import write_bytes

    figure = draw(list(paths), kind, x=x, target=target, fit=fit)  # type: ignore[arg-type]  # plot checks x
    picture = io.BytesIO()
    kind_of_file = output.suffix[1:].lower()
    metadata = {"Date": None} if kind_of_file == "svg" else None
    with rc_context({"svg.hashsalt": "kerasbatch"}):  # the same picture, the same file
        figure.savefig(picture, format=kind_of_file, dpi=DOTS_PER_INCH, metadata=metadata)
    write_bytes(output, picture.getvalue())
