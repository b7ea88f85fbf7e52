"""The commands; with `terminal`, the only place that prints or exits.

Exit codes: 0 every run finished and every step check holds; 1 a run failed, a single run
diverged, or a step check is a mismatch; 2 the spec or the command line is wrong; 3 the
experiment's directory is in use; 130 interrupted; 143 terminated.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasbatch.cli.terminal import (
    FAILED,
    INTERRUPTED,
    escaped,
    exit_codes,
    heed_signals,
    open_console,
    print_whole,
)
from kerasbatch.errors import Fault, SpecError
from kerasbatch.version import VERSION

if TYPE_CHECKING:
    from kerasbatch.cli.display import Display
    from kerasbatch.runs.bench import Comparison
    from kerasbatch.runs.result import Result
    from kerasbatch.spec.specfile import Source
    from kerasbatch.spec.sweep import SingleRun
    from kerasbatch.steps import Plan

MAX_DIGITS = 20

app = typer.Typer(
    help="Keras experiments about batch size: steps counted right, runs compared fairly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file of the experiment.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Let the spec run Python code and read files outside its own folder."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a key of the spec; may be repeated."),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show TensorFlow's own log.")]


def main() -> None:
    """Run the command line."""
    with exit_codes():
        app()


def _version(value: bool) -> None:
    if value:
        typer.echo(f"kerasbatch {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
def steps(
    n: Annotated[int, typer.Argument(metavar="N", help="Training examples.")],
    epochs: Annotated[int, typer.Argument(metavar="EPOCHS", help="Passes over them.")],
    batch_size: Annotated[
        str, typer.Argument(metavar="BATCH_SIZE", help="Examples of one step, or full.")
    ],
    drop: Annotated[bool, typer.Option("--drop", help="Drop the partial last batch.")] = False,
) -> None:
    """Calculate the steps of a training: the notes' s = n*e/b, and what really happens."""
    from kerasbatch.steps import Budget, plan

    size = _size(batch_size, "BATCH_SIZE", "a whole number, or full")
    made = plan(n, size, Budget("epochs", epochs), "drop" if drop else "keep")
    _show_plan(made, seed=0, sampling="shuffle")


def _show_plan(made: "Plan", *, seed: int, sampling: Any) -> None:
    from kerasbatch.cli import drawing

    console = open_console(errors=False)
    console.print(drawing.plan_table(made))
    console.print()
    console.print(drawing.epochs(made, seed=seed, sampling=sampling, width=console.width))


@app.command()
def plan(spec: SpecPath, overrides: Overrides = None, trust: Trust = False) -> None:
    """Show what a spec would do, without training or loading TensorFlow."""
    from kerasbatch.cli import drawing
    from kerasbatch.spec import rules, specfile

    source = specfile.load(spec, overrides or ())
    planned = _planned(source, trust)
    console = open_console(errors=False)
    if source.spec.question:
        console.print(escaped(source.spec.question), style="italic")
    notices = [notice for _, _, notice in planned if notice]
    notices += [note for single, _, _ in planned for note in rules.notes(single.spec)]
    for notice in dict.fromkeys(notices):
        open_console().print(f"[yellow]note:[/] {escaped(notice)}", soft_wrap=True)
    if source.spec.sweep:
        print_whole(console, drawing.sweep_table([(single, made) for single, made, _ in planned]))
        _explain_differences([made for _, made, _ in planned])
    else:
        ((single, made, _),) = planned
        _show_plan(made, seed=single.spec.seed, sampling=single.spec.sampling)


def _planned(source: "Source", trust: bool) -> "list[tuple[SingleRun, Plan, str | None]]":
    from kerasbatch import steps
    from kerasbatch.spec import learning_rate, sweep
    from kerasbatch.spec.access import Access
    from kerasbatch.workload import data

    access = Access(source.folder, trust)
    planned = []
    with source.located():
        for single in sweep.expand(source):
            with single.located():
                spec, sizes = single.spec, data.sizes(single.spec, access)
                n = sizes.train_examples
                made = steps.plan(n, spec.batch_size, spec.budget, spec.partial_batch)
                learning_rate.resolve(spec, made.batch_size)
            planned.append((single, made, sizes.notice))
    return planned


def _explain_differences(plans: "list[Plan]") -> None:
    reasons = {made.batch_size: made.difference for made in plans}
    for size, reason in reasons.items():
        if not reason.startswith("the same"):
            open_console(errors=False).print(f"  b = {size:,}: {reason}", style="dim")


@app.command()
def schema() -> None:
    """Print the JSON schema of a spec, for editors that complete and check."""
    import json

    from kerasbatch.spec.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=1))


@app.command()
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
    _check_early(source)
    display = _display_with_tensorflow(quiet=quiet, verbose=verbose)
    from kerasbatch.runs.runner import run_all

    with display:
        ended = run_all(source, results=results, rerun=rerun, trust=trust, watcher=display)
    _show_results(ended, results / source.spec.name)
    raise typer.Exit(_exit_code(ended))


def _display_with_tensorflow(*, quiet: bool, verbose: bool) -> "Display":
    """Load TensorFlow, which takes seconds, and say so; return what shows progress."""
    from kerasbatch.cli.display import Display
    from kerasbatch.engine import environment as quiet_module

    display = Display(open_console(), quiet=quiet, heed=heed_signals)
    for notice in quiet_module.prepare_environment(verbose=verbose):
        display.notice(notice)
    with display.waiting("loading TensorFlow"):
        quiet_module.load_tensorflow(verbose=verbose)
    return display


@app.command()
def bench(
    spec: SpecPath,
    overrides: Overrides = None,
    batch_size: Annotated[
        str,
        typer.Option(
            "--batch-size",
            metavar="LIST",
            help="Like 1,16,128,1024,full; without it, those of the spec.",
        ),
    ] = "",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table here.")] = None,
    trust: Trust = False,
    verbose: Verbose = False,
) -> None:
    """Time plain fit against the fused engine, side by side on this machine.

    Each trains for about a second, in turn, five times; a batch size takes some 15 seconds, or
    ten steps of plain fit where these are slower.
    """
    from kerasbatch.spec import specfile
    from kerasbatch.spec.access import Access

    source = specfile.load(spec, overrides or ())
    sizes = _sizes(batch_size) if batch_size else _sizes_of(source)
    if csv and not csv.absolute().parent.is_dir():
        raise SpecError([Fault(("--csv",), f"there is no folder {csv.parent}")])
    _check_early(source, [size for size in sizes if size != "full"])
    display = _display_with_tensorflow(quiet=False, verbose=verbose)
    from kerasbatch.runs import bench as bench_module

    found: list[Comparison] = []
    try:
        with source.located():
            compared = bench_module.compare(source.spec, Access(source.folder, trust), sizes)
            for size in sizes:
                with display.waiting(f"batch size {size}"):
                    found.append(next(compared))
    finally:  # what was measured before an interrupt is worth showing
        if found:
            _show_comparisons(found, csv)


def _sizes_of(source: "Source") -> list[Any]:
    """Return the batch sizes of a spec, those of its sweep if it sweeps them."""
    from kerasbatch.spec import sweep

    with source.located():
        return list(dict.fromkeys(single.spec.batch_size for single in sweep.expand(source)))


def _show_comparisons(found: "list[Comparison]", csv: Path | None) -> None:
    from kerasbatch.cli import drawing
    from kerasbatch.records.files import write_csv

    console = open_console(errors=False)
    print_whole(console, drawing.bench_table(found))
    for why in dict.fromkeys(each.why for each in found):
        sizes = ", ".join(f"{each.batch_size:,}" for each in found if each.why == why)
        console.print(f"  b = {sizes}: {why}", style="dim", soft_wrap=True)
    if csv:
        rows = [each.row() for each in found]
        write_csv(csv, list(rows[0]), rows)


def _sizes(text: str) -> list[Any]:
    must = "whole numbers and full, like 1,16,128,full"
    return [_size(part.strip(), "--batch-size", must) for part in text.split(",")]


def _size(text: str, name: str, must: str) -> Any:
    """Return a batch size as a number, or `full`."""
    if text == "full":
        return text
    if not text.isdecimal() or len(text) >= MAX_DIGITS:
        raise SpecError([Fault((name,), f"found {text!r}; must be {must}")])
    return int(text)


def _check_early(source: "Source", batch_sizes: Sequence[int] = ()) -> None:
    """Complain before TensorFlow takes its seconds, as far as plans go without own data."""
    from kerasbatch.spec import sweep
    from kerasbatch.spec.keys import BuiltInData

    with source.located():
        runs = sweep.expand(source)
    if all(isinstance(single.spec.data, BuiltInData) for single in runs):
        planned = _planned(source, trust=False)
        _check_batch_sizes(planned[0][1], batch_sizes)


def _check_batch_sizes(made: "Plan", batch_sizes: Sequence[int]) -> None:
    from kerasbatch import steps

    for size in batch_sizes:
        steps.plan(made.train_examples, size, made.budget)


def _show_results(ended: "list[Result]", directory: Path) -> None:
    from kerasbatch.cli import drawing

    console = open_console(errors=False)
    if len(ended) == 1:
        console.print(drawing.result_summary(ended[0]))
    else:
        print_whole(console, drawing.result_table(ended))
        for result in ended:
            if result.status != "done":
                console.print(f"{escaped(result.directory.name)}: {escaped(result.message)}")
    if reused := sum(result.reused for result in ended):
        them = "it" if reused == 1 else "them"
        console.print(f"{reused} of {len(ended)} finished earlier; --rerun trains {them} again")
    place = ended[0].directory if len(ended) == 1 else directory
    console.print(f"files: {escaped(str(place))}", soft_wrap=True)


def _exit_code(ended: "list[Result]") -> int:
    statuses = [result.status for result in ended]
    if "interrupted" in statuses:
        return INTERRUPTED
    diverged = statuses == ["diverged"]
    failed = any(status not in ("done", "target", "diverged") for status in statuses)
    mismatch = any(str(result.row["step_check"]).startswith("mismatch") for result in ended)
    return FAILED if diverged or failed or mismatch else 0
