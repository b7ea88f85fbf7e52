"""The command `check-advice`: compare the advice with brute force."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.preflight import check_before_loading, display_with_tensorflow
from kerasbatch.cli.options import Overrides, Target, Trust
from kerasbatch.cli.terminal import open_console, print_uncut
from kerasbatch.errors import SpecError
from kerasbatch.text import escape_formula

if TYPE_CHECKING:
    from kerasbatch.advice.brute_force import BruteForce


def check_advice(
    specs: Annotated[
        list[Path], typer.Argument(metavar="SPEC", help="Experiments, each with a target.")
    ],
    target: Target = None,
    minutes: Annotated[
        float, typer.Option(metavar="M", help="Approximate time limit of each advice in minutes.")
    ] = 5.0,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")
    ] = None,
    overrides: Overrides = None,
    trust: Trust = False,
) -> None:
    """Compare the advice with brute force: eight sizes and the advised one, tuned and timed."""
    from kerasbatch.spec.reader import load_spec

    sources = [load_spec(spec, overrides or ()) for spec in specs]
    if faults := options.folder_faults(csv, "--csv"):
        raise SpecError(faults)
    for source in sources:
        check_before_loading(source, trust)
    display = display_with_tensorflow(quiet=False, verbose=False, load_optional=trust)
    from kerasbatch.advice import brute_force
    from kerasbatch.atomic_files import write_text

    checks = [brute_force.brute_force_spec(source, target, trust=trust) for source in sources]
    results: list[BruteForce] = []
    for check in checks:
        result = brute_force.brute_force(
            check, minutes=minutes, trust=trust, wait=display.waiting_for
        )
        results.append(result)
        _show(result)
        if csv:
            table = brute_force.join_tables(results).map(escape_formula)
            write_text(csv, table.to_csv(index=False))


def _show(result: "BruteForce") -> None:
    from kerasbatch.cli.display.frames import frame_table

    console = open_console(errors=False)
    console.print(result.name, style="bold", markup=False)
    print_uncut(console, frame_table(result.table.drop(columns=["spec", "target"])))
    console.print(result.advice.message, markup=False, soft_wrap=True)
    console.print(result.message, style="bold", markup=False, soft_wrap=True)
