"""The command `compare`: compare runs, with the caveats."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.garbage_collection import paused_collection
from kerasbatch.cli.options import AllRuns, By, Target
from kerasbatch.cli.terminal import FAILED, open_console, print_error, print_note, print_uncut
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import counted

if TYPE_CHECKING:
    from rich.console import Console

    from kerasbatch.analysis.comparison.result import Comparison
    from kerasbatch.analysis.loading.load import Loaded

Format = Literal["table", "csv", "markdown", "json"]


def compare(
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Results to compare.")],
    by: By = None,
    target: Target = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit the steps to the target; show the critical size.")
    ] = False,
    all_runs: AllRuns = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")
    ] = None,
    table_format: Annotated[
        Format, typer.Option("--format", help="Format of the printed table.")
    ] = "table",
    baseline: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Earlier results to compare with.")
    ] = None,
    fail_if: Annotated[
        str | None,
        typer.Option(
            metavar="LIMIT",
            help='With --baseline: condition of failure, like "val_accuracy<-0.01".',
        ),
    ] = None,
) -> None:
    """Compare runs fairly: one row per batch size, each at its best learning rate."""
    if (baseline is None) != (fail_if is None):
        raise SpecError([Fault(("--baseline",), "goes with --fail-if, and --fail-if goes with it")])
    if faults := options.folder_faults(csv, "--csv"):
        raise SpecError(faults)
    from kerasbatch.analysis.comparison import compare as analysis
    from kerasbatch.analysis.comparison.stale_runs import stale_line
    from kerasbatch.analysis.loading.load import load

    keys = by or ["batch_size"]
    with paused_collection():
        loaded = load(list(paths))
        comparison = analysis.compare(loaded, keys, target, fit=fit, all_runs=all_runs)
    for place, problem in comparison.problems.items():
        print_note(f"{place}: {problem}; it is left out")
    if comparison.stale:
        print_note(stale_line(comparison.stale))
    if csv:
        comparison.write_csv(csv)
    _show(comparison, table_format, open_console(errors=False))
    if baseline is not None and fail_if is not None:
        earlier = load(baseline)
        _note_changes(*((loaded, earlier) if all_runs else (loaded.current(), earlier.current())))
        reference = analysis.compare(earlier, keys, target, all_runs=all_runs)
        _check_regressions(comparison, reference, fail_if)


def _show(comparison: "Comparison", table_format: Format, console: "Console") -> None:
    if table_format == "table":
        from kerasbatch.cli.display.frames import comparison_lines, comparison_table

        print_uncut(console, comparison_table(comparison))
        for line in comparison_lines(comparison):
            console.print(line, soft_wrap=True)
        return
    texts = {
        "csv": comparison.to_csv,
        "markdown": comparison.to_markdown,
        "json": comparison.to_json,
    }
    console.print(texts[table_format](), soft_wrap=True, end="")


def _note_changes(loaded: "Loaded", baseline: "Loaded") -> None:
    """Print the settings in which the runs differ from those of the baseline."""
    from kerasbatch.analysis.comparison.settings import Settings, changed_keys

    keys = changed_keys(Settings(loaded), Settings(baseline))
    if keys:
        print_note(f"the baseline's runs differ in {', '.join(keys)}")


def _check_regressions(comparison: "Comparison", baseline: "Comparison", limit: str) -> None:
    from kerasbatch.analysis.comparison.regression_gate import (
        Regression,
        find_regressions,
        parse_limit,
    )

    regressions = find_regressions(comparison, baseline, parse_limit(limit))
    regressions += [
        Regression(place, f"{problem} (baseline)") for place, problem in baseline.problems.items()
    ]
    for regression in regressions:
        print_error(f"{regression.row}: {regression.message}")
    rows = counted(len(baseline.table), "row")
    if regressions:
        print_note(f"{counted(len(regressions), 'failure')} against the baseline's {rows}")
        raise typer.Exit(FAILED)
    print_note(f"no worse than the baseline in {rows} ({parse_limit(limit)})")
