"""The command `compare`: which batch size was best, and what keeps one from concluding."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kerasbatch.cli import options
from kerasbatch.cli.options import By, Target
from kerasbatch.cli.terminal import FAILED, open_console, print_error, print_note, print_uncut
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import counted

if TYPE_CHECKING:
    from rich.console import Console

    from kerasbatch.analysis.comparison.compare import Comparison

Format = Literal["table", "csv", "markdown", "json"]


def compare(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to compare.")],
    by: By = None,
    target: Target = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit the steps to the target; tell the critical size.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table here.")] = None,
    shape: Annotated[Format, typer.Option("--format", help="How the table is printed.")] = "table",
    baseline: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Earlier results, to hold these against.")
    ] = None,
    fail_if: Annotated[
        str | None,
        typer.Option(metavar="LIMIT", help='With --baseline: fail if "val_accuracy<-0.01".'),
    ] = None,
) -> None:
    """Compare runs fairly: one row per batch size, each at its best learning rate."""
    if (baseline is None) != (fail_if is None):
        raise SpecError([Fault(("--baseline",), "goes with --fail-if, and --fail-if with it")])
    if faults := options.folder_faults(csv, "--csv"):
        raise SpecError(faults)
    from kerasbatch.analysis.comparison import compare as analysis

    keys = by or ["batch_size"]
    found = analysis.compare(list(paths), keys, target, fit=fit)
    for place, problem in found.problems.items():
        print_note(f"{place}: {problem}; it is left out")
    if csv:
        found.write_csv(csv)
    _show(found, shape, open_console(errors=False))
    if baseline is not None and fail_if is not None:
        _hold_against(found, analysis.compare(baseline, keys, target), fail_if)


def _show(found: "Comparison", shape: Format, console: "Console") -> None:
    if shape == "table":
        from kerasbatch.cli.display.frames import comparison_lines, comparison_table

        print_uncut(console, comparison_table(found))
        for line in comparison_lines(found):
            console.print(line, soft_wrap=True)
        return
    texts = {"csv": found.to_csv, "markdown": found.to_markdown, "json": found.to_json}
    console.print(texts[shape](), soft_wrap=True, end="")


def _hold_against(now: "Comparison", earlier: "Comparison", text: str) -> None:
    from kerasbatch.analysis.comparison.regression_gate import (
        Regression,
        find_regressions,
        parse_limit,
    )

    worse = find_regressions(now, earlier, parse_limit(text))
    worse += [Regression(place, f"{told} (baseline)") for place, told in earlier.problems.items()]
    for each in worse:
        print_error(f"{each.row}: {each.message}")
    rows = counted(len(earlier.table), "row")
    if worse:
        print_note(f"{counted(len(worse), 'failure')} against the baseline's {rows}")
        raise typer.Exit(FAILED)
    print_note(f"no worse than the baseline in {rows} ({parse_limit(text)})")
