"""The command `report`: write an HTML page about runs."""

from pathlib import Path
from typing import Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.options import AllRuns, By, Target
from kerasbatch.cli.terminal import open_console, print_note
from kerasbatch.errors import Fault, SpecError

FORMATS = (".html", ".htm")


def report(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to report on.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="HTML file to write.")
    ],
    by: By = None,
    target: Target = None,
    all_runs: AllRuns = False,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser.")
    ] = False,
) -> None:
    """Write an HTML page about runs: answer, caveats, table, pictures, checks and spec."""
    if output.suffix.lower() not in FORMATS:
        raise SpecError([Fault(("-o",), f"found {output.name!r}; must end with .html")])
    if faults := options.folder_faults(output, "-o"):
        raise SpecError(faults)
    _write_page(output, list(paths), by or ["batch_size"], target, all_runs)
    if open_browser:
        _open_page(output)


def _write_page(
    output: Path, paths: list[Path], by: list[str], target: str | None, all_runs: bool
) -> None:
    from kerasbatch.analysis.report import page as analysis
    from kerasbatch.atomic_files import write_text

    console = open_console()
    with console.status(f"drawing {output.name} ..."):
        page = analysis.report(paths, by, target, all_runs=all_runs)
    write_text(output, page)
    size = output.stat().st_size / 1e6
    console.print(f"wrote {output} ({size:.1f} MB)", markup=False, highlight=False, soft_wrap=True)


def _open_page(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.absolute().as_uri()):
        print_note(f"no browser was found; open {page} yourself")
