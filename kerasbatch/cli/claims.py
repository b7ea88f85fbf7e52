"""The command `claims`: test every statement of the notes."""

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
        bool, typer.Option("--quick", help="Use fewer examples, sizes and seeds.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Data set of the classifiers: mnist or digits."),
    ] = None,
) -> None:
    """Test every statement of the notes; print the numbers and a verdict."""
    _check_options(data, csv)
    display = display_with_tensorflow(quiet=False, verbose=False)
    from kerasbatch.claims import run as claim_studies
    from kerasbatch.claims.claim import COLUMNS
    from kerasbatch.records.files import write_spreadsheet

    name, notice = (data, None) if data else claim_studies.default_data()
    if notice:
        print_note(notice)
    results: list[Claim] = []
    console = open_console(errors=False)
    with claim_studies.claim_runner(name, quick=quick) as runner:  # type: ignore[arg-type]  # checked
        for study in claim_studies.STUDIES:
            with display.waiting_for(claim_studies.title(study)):
                study_claims = sorted(study(runner), key=_statement_number)
            for claim in study_claims:
                _show(claim, console)
            results += study_claims
    if csv:
        rows = [vars(claim) for claim in sorted(results, key=_statement_number)]
        write_spreadsheet(csv, COLUMNS, rows)


def _check_options(data: str | None, csv: Path | None) -> None:
    from kerasbatch.spec.data_schema import KerasData

    legal = [*get_args(KerasData), "digits", "iris", "wine", "breast_cancer"]
    faults = []
    if data is not None and data not in legal:
        hint = suggestion(data, legal) or f"; there are {', '.join(legal)}"
        faults.append(Fault(("--data",), f"{show_value(data)} is no data for classifiers{hint}"))
    faults += options.folder_faults(csv, "--csv")
    if faults:
        raise SpecError(faults)


def _statement_number(claim: "Claim") -> int:
    return int(claim.statement.partition(".")[0])


def _show(claim: "Claim", console: "Console") -> None:
    from rich.text import Text

    head = Text.assemble((claim.statement, "bold"), "  ", (claim.verdict, COLOURS[claim.verdict]))
    console.print(head, soft_wrap=True)
    console.print(Text(f"    {claim.measured}\n    ({claim.why})"), soft_wrap=True)
