"""The command `claims`: every statement of the notes, with what was measured of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from kerasbatch.cli import options
from kerasbatch.cli.preflight import display_with_tensorflow
from kerasbatch.cli.terminal import open_console, print_note
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import show_value, suggestion

if TYPE_CHECKING:
    from rich.console import Console

    from kerasbatch.claims.claim import Claim

COLOURS = {"holds": "green", "holds roughly": "yellow", "does not hold here": "red"}


def claims(
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer examples, sizes and seeds.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table here.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="What classifiers learn: mnist, or digits.")
    ] = None,
) -> None:
    """Put every statement of the notes to the test; tell the numbers and a verdict."""
    _check(data, csv)
    display = display_with_tensorflow(quiet=False, verbose=False)
    from kerasbatch.claims import run as studies
    from kerasbatch.claims.claim import COLUMNS
    from kerasbatch.records.files import write_csv

    name, notice = (data, None) if data else studies.default_data()
    if notice:
        print_note(notice)
    found: list[Claim] = []
    console = open_console(errors=False)
    with studies.claim_runner(name, quick=quick) as runner:  # type: ignore[arg-type]  # checked
        for study in studies.STUDIES:
            with display.waiting_for(studies.title(study)):
                rows = sorted(study(runner), key=_number)
            for each in rows:
                _show(each, console)
            found += rows
    if csv:
        rows_of = [vars(each) for each in sorted(found, key=_number)]
        write_csv(csv, COLUMNS, rows_of)


def _check(data: str | None, csv: Path | None) -> None:
    from kerasbatch.spec.data_schema import KerasData

    legal = [*get_args(KerasData), "digits", "iris", "wine", "breast_cancer"]
    faults = []
    if data is not None and data not in legal:
        hint = suggestion(data, legal) or f"; there are {', '.join(legal)}"
        faults.append(Fault(("--data",), f"{show_value(data)} is no data for classifiers{hint}"))
    faults += options.folder_faults(csv, "--csv")
    if faults:
        raise SpecError(faults)


def _number(claim: "Claim") -> int:
    return int(claim.statement.partition(".")[0])


def _show(claim: "Claim", console: "Console") -> None:
    from rich.text import Text

    head = Text.assemble((claim.statement, "bold"), "  ", (claim.verdict, COLOURS[claim.verdict]))
    console.print(head, soft_wrap=True)
    console.print(Text(f"    {claim.measured}\n    ({claim.why})"), soft_wrap=True)
