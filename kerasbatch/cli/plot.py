"""The command `plot`: pictures of runs."""

import io
from pathlib import Path
from typing import Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.errors import Fault, SpecError

FORMATS = (".png", ".svg")
DOTS_PER_INCH = 150


def plot(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to draw.")],
    kind: Annotated[str, typer.Option(metavar="KIND", help="What to draw: contour.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A file .png or .svg.")
    ],
) -> None:
    """Draw runs: contour has the paths of gradient descent over the contours of J."""
    if output.suffix.lower() not in FORMATS:
        found = f"found {output.name!r}; must end with {' or '.join(FORMATS)}"
        raise SpecError([Fault(("-o",), found)])
    if faults := options.folder_faults(output, "-o"):
        raise SpecError(faults)
    from kerasbatch.analysis.plot import plot as draw
    from kerasbatch.records.files import write_bytes

    figure = draw(list(paths), kind)  # type: ignore[arg-type]  # it says what kinds there are
    picture = io.BytesIO()
    metadata = {"Date": None} if output.suffix.lower() == ".svg" else None
    figure.savefig(picture, format=output.suffix[1:].lower(), dpi=DOTS_PER_INCH, metadata=metadata)
    write_bytes(output, picture.getvalue())
