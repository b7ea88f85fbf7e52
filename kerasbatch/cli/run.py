"""The command `run`: train every run of a spec."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.preflight import (
    check_before_loading,
    display_with_keras,
    open_display,
    read_spec,
)
from kerasbatch.cli.options import (
    CpusPerRun,
    GpusPerRun,
    Grace,
    Jobs,
    Overrides,
    RayAddress,
    SpecPath,
    Timeout,
    Trust,
    Verbose,
)
from kerasbatch.cli.terminal import FAILED, INTERRUPTED, open_console, print_uncut
from kerasbatch.text import counted

if TYPE_CHECKING:
    from rich.console import Console

    from kerasbatch.runs.result import Result
    from kerasbatch.spec.reader import SpecSource


def run(
    context: typer.Context,
    spec: SpecPath,
    overrides: Overrides = None,
    results: Annotated[
        Path, typer.Option(metavar="DIR", help="Parent directory of all experiments.")
    ] = Path("results"),
    jobs: Jobs = None,
    ray: RayAddress = None,
    cpus_per_run: CpusPerRun = None,
    gpus_per_run: GpusPerRun = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Log directory, in which runs write TensorBoard events."),
    ] = None,
    timeout: Timeout = None,
    grace: Grace = "25",
    trust: Trust = False,
    rerun: Annotated[bool, typer.Option("--rerun", help="Train finished runs again.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show only the final table.")] = False,
    verbose: Verbose = False,
) -> None:
    """Train every run of a spec; write the histories and check the steps."""
    from kerasbatch.spec.named_paths import names_code

    source = read_spec(spec, overrides)
    workers, limit = options.jobs(jobs), options.seconds(timeout, "--timeout")
    if context.obj is not None:  # the signals of a process that is a command
        context.obj.grace = options.seconds(grace, "--grace", "25")
    cluster = options.cluster(ray, cpus_per_run, gpus_per_run)
    check_before_loading(source, trust)
    # Code of the user may end its process.
    isolated = names_code(source.spec)
    alone = not source.spec.makes_many
    in_process = alone and limit is None and cluster is None and not isolated
    if in_process and (rerun or not _is_finished(source, results, trust)):
        display = display_with_keras(
            quiet=quiet, verbose=verbose, load_optional=trust, backend=source.spec.backend
        )
    else:
        display = open_display(quiet=quiet, verbose=verbose, backend=source.spec.backend)
    from kerasbatch.runs.runner import run_all

    with display:
        ended = run_all(
            source,
            results=results,
            jobs=workers,
            rerun=rerun,
            trust=trust,
            timeout=limit,
            watcher=display,
            verbose=verbose,
            ray=cluster,
            tensorboard=tensorboard,
            stop=context.obj,
            isolated=isolated,
        )
    _show_results(ended, results / source.spec.name, alone=alone)
    raise typer.Exit(_exit_code(ended, alone=alone))


def _is_finished(source: "SpecSource", results: Path, trust: bool) -> bool:
    """Return whether all runs are finished, so that TensorFlow is not needed."""
    from kerasbatch.records.experiment import Experiment
    from kerasbatch.runs.finished_runs import finished_runs
    from kerasbatch.spec.sweep.expand import expand

    experiment = Experiment(results.absolute() / source.spec.name)
    with source.located():
        access = source.access(trust=trust, results=results)
        runs = finished_runs(source.spec, expand(source), experiment, access)
    return runs is not None


def _show_results(ended: "list[Result]", directory: Path, *, alone: bool) -> None:
    from kerasbatch.cli.display.tables import facts_table, result_facts, result_table

    console = open_console(errors=False)
    if alone:
        console.print(facts_table(result_facts(ended[0]), console.width))
    else:
        print_uncut(console, result_table(ended))
        _show_endings(ended, console)
    if reused := sum(result.reused for result in ended):
        pronoun = "it" if reused == 1 else "them"
        console.print(f"{reused} of {len(ended)} finished earlier; --rerun trains {pronoun} again")
    place = ended[0].directory if alone else directory.absolute()
    place = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
    console.print(f"files: {place}", soft_wrap=True)
    if not alone and any(not result.status.is_failure for result in ended):
        command = shlex.join(["kerasbatch", "compare", str(place)])
        console.print(f"the best of every batch size: {command}", soft_wrap=True)


def _show_endings(ended: "list[Result]", console: "Console") -> None:
    """Print how runs ended before the end of their plan, and the command to retry."""
    from kerasbatch.records.run_status import RunStatus

    is_search = any(result.status == RunStatus.CAPPED for result in ended)
    for result in () if is_search else ended:
        if result.status in (RunStatus.TARGET, RunStatus.DIVERGED):
            console.print(f"{result.directory.name}: {result.message}", soft_wrap=True)
    unfinished = [result for result in ended if not result.status.is_settled]
    if not unfinished:
        return
    from kerasbatch.cli.display.tables import failure_table

    console.print(f"\n{counted(len(unfinished), 'run')} did not finish:", style="bold")
    console.print(failure_table(unfinished))
    command = shlex.join(["kerasbatch", *(part for part in sys.argv[1:] if part != "--rerun")])
    console.print(f"to retry what did not finish: {command}", soft_wrap=True)


def _exit_code(ended: "list[Result]", *, alone: bool) -> int:
    from kerasbatch.records.run_status import RunStatus
    from kerasbatch.step_check import is_mismatch

    statuses = [result.status for result in ended]
    if RunStatus.INTERRUPTED in statuses:
        return INTERRUPTED
    diverged = alone and statuses == [RunStatus.DIVERGED]
    failed = any(not status.is_settled for status in statuses)
    mismatch = any(is_mismatch(str(result.row["step_check"])) for result in ended)
    return FAILED if diverged or failed or mismatch else 0
