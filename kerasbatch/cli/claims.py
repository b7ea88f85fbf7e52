"""The command `claims`: test every statement of the notes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.preflight import display_with_keras
from kerasbatch.cli.terminal import open_console, print_note
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import show_value, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from kerasbatch.claims.claim import Claim

COLOURS = {
    "holds": "green",
    "does not hold here": "red",
    "cannot be told here": "yellow",
    "answered": "cyan",
    "custom": "cyan",
}


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
    language: Annotated[
        str, typer.Option(metavar="NAME", help="Language of the table: en or ko.")
    ] = "en",
    read: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Print the table of an earlier --csv; measure nothing."),
    ] = None,
) -> None:
    """Test every statement of the notes; print the numbers and a verdict."""
    _check_options(data, csv, language, measures=read is None, quick=quick)
    from kerasbatch.claims.claims_file import read_claims, write_claims

    console = open_console(errors=False)
    chosen: Any = language  # checked
    results: list[Claim] = []
    for study_claims in [read_claims(read)] if read else _studies(data, quick=quick):
        for claim in study_claims:
            _show(claim, chosen, console)
        results += study_claims
    if csv:
        write_claims(csv, results, chosen)


def _studies(data: str | None, *, quick: bool) -> "Iterator[Sequence[Claim]]":
    """Run one study after another; yield the claims of each."""
    display = display_with_keras(quiet=False, verbose=False)
    from kerasbatch.claims import run as claim_studies

    name, notice = (data, None) if data else claim_studies.default_data()
    if notice:
        print_note(notice)
    with claim_studies.claim_runner(name, quick=quick) as runner:  # type: ignore[arg-type]  # checked
        for study in claim_studies.STUDIES:
            with display.waiting_for(study.title):
                study_claims = study.claims(runner)
            yield study_claims


def _check_options(
    data: str | None, csv: Path | None, language: str, *, measures: bool, quick: bool
) -> None:
    from kerasbatch.analysis.plots.language import language_faults
    from kerasbatch.spec.data_schema import KerasData

    legal = [*get_args(KerasData), "digits", "iris", "wine", "breast_cancer"]
    faults = []
    if data is not None and data not in legal:
        hint = suggestion(data, legal) or f"; there are {', '.join(legal)}"
        faults.append(Fault(("--data",), f"{show_value(data)} is no data for classifiers{hint}"))
    faults += language_faults(language)
    if not measures and (data or quick):
        message = "measures nothing; leave --data and --quick out"
        faults.append(Fault(("--read",), message))
    faults += options.folder_faults(csv, "--csv")
    if faults:
        raise SpecError(faults)


def _show(claim: "Claim", language: Any, console: "Console") -> None:
    from rich.text import Text

    from kerasbatch.claims.wording import claim_row

    row = claim_row(claim, language)
    head = Text.assemble((row["statement"], "bold"), "  ", (row["verdict"], COLOURS[claim.verdict]))
    console.print(head, soft_wrap=True)
    lines = [f"{row['measured']} [{row['unit']}]", f"({row['tolerance']})"]
    if row["caveats"]:
        lines.append(f"compare: {row['caveats']}")
    console.print(Text("\n".join(f"    {line}" for line in lines)), soft_wrap=True)
