"""The command `run`: trains every run of a spec."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli.early import check_early, display_with_tensorflow
from kerasbatch.cli.options import Overrides, SpecPath, Trust, Verbose
from kerasbatch.cli.terminal import FAILED, INTERRUPTED, open_console, print_whole

if TYPE_CHECKING:
    from kerasbatch.runs.result import Result


def run(
    spec: SpecPath,
    overrides: Overrides = None,
    results: Annotated[
        Path, typer.Option(metavar="DIR", help="Where experiments are kept.")
    ] = Path("results"),
    trust: Trust = False,
    rerun: Annotated[bool, typer.Option("--rerun", help="Train finished runs again.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show the final table only.")] = False,
    verbose: Verbose = False,
) -> None:
    """Train every run of a spec; write its history and its step check."""
    from kerasbatch.spec import specfile

    source = specfile.load(spec, overrides or ())
    check_early(source)
    display = display_with_tensorflow(quiet=quiet, verbose=verbose)
    from kerasbatch.runs.runner import run_all

    with display:
        ended = run_all(source, results=results, rerun=rerun, trust=trust, watcher=display)
    _show_results(ended, results / source.spec.name)
    raise typer.Exit(_exit_code(ended))


def _show_results(ended: "list[Result]", directory: Path) -> None:
    from kerasbatch.cli import tables

    console = open_console(errors=False)
    if len(ended) == 1:
        console.print(tables.facts(tables.result_facts(ended[0]), console.width))
    else:
        print_whole(console, tables.result_table(ended))
        for result in ended:
            if result.status != "done":
                console.print(f"{result.directory.name}: {result.message}")
    if reused := sum(result.reused for result in ended):
        them = "it" if reused == 1 else "them"
        console.print(f"{reused} of {len(ended)} finished earlier; --rerun trains {them} again")
    place = ended[0].directory if len(ended) == 1 else directory.absolute()
    place = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
    console.print(f"files: {place}", soft_wrap=True)


def _exit_code(ended: "list[Result]") -> int:
    from kerasbatch.stepcheck import is_mismatch

    statuses = [result.status for result in ended]
    if "interrupted" in statuses:
        return INTERRUPTED
    diverged = statuses == ["diverged"]
    failed = any(status not in ("done", "target", "diverged") for status in statuses)
    mismatch = any(is_mismatch(str(result.row["step_check"])) for result in ended)
    return FAILED if diverged or failed or mismatch else 0
