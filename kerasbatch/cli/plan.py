"""The command `plan`: show the planned runs of a spec."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.garbage_collection import paused_collection
from kerasbatch.cli.options import Jobs, Overrides, SpecPath, Trust
from kerasbatch.cli.steps import show_plan
from kerasbatch.cli.terminal import open_console, print_note, print_uncut
from kerasbatch.text import counted

if TYPE_CHECKING:
    from kerasbatch.runs.prepare.plans import PlannedRun
    from kerasbatch.spec.reader import SpecSource
    from kerasbatch.spec.trust import Access
    from kerasbatch.steps import Plan

MAX_LISTED = 200
"""The number of runs that are listed without --all; drawing thousands takes seconds."""


def plan(
    spec: SpecPath,
    overrides: Overrides = None,
    timed: Annotated[
        bool, typer.Option("--time", help="Try every batch size and estimate the total time.")
    ] = False,
    jobs: Jobs = None,
    all_runs: Annotated[
        bool, typer.Option("--all", help=f"List all runs, even if they are more than {MAX_LISTED}.")
    ] = False,
    trust: Trust = False,
) -> None:
    """Show the planned runs of a spec without training; only --time loads TensorFlow."""
    from kerasbatch.cli.display.plan_tables import sweep_table, sweep_totals
    from kerasbatch.cli.display.preflight import read_spec
    from kerasbatch.runs.prepare.plans import plan_runs
    from kerasbatch.search.run_bounds import run_bounds

    source = read_spec(spec, overrides)
    workers = options.jobs(jobs)
    access = source.access(trust=trust)
    with paused_collection():
        planned = plan_runs(source, access)
    console = open_console(errors=False)
    if source.spec.question:
        console.print(source.spec.question, style="italic")
    for notice in dict.fromkeys(notice for run in planned for notice in run.notices):
        print_note(notice)
    _describe_data(planned)
    if source.spec.makes_many:
        listed = planned if all_runs else planned[:MAX_LISTED]
        print_uncut(console, sweep_table(listed))
        if len(listed) < len(planned):
            rest = counted(len(planned) - len(listed), "more run")
            console.print(f"... and {rest}; --all lists them", soft_wrap=True)
        bounds = run_bounds(source.spec, [run.single for run in planned])
        console.print(sweep_totals(planned, bounds), soft_wrap=True)
        _explain_differences([run.plan for run in planned])
    else:
        _show_single_run(planned[0])
    if timed:
        _show_time_estimate(source, access, workers)


def _describe_data(planned: "list[PlannedRun]") -> None:
    """Print what the model learns from, unless that differs between runs."""
    first = planned[0].description
    if first and all(run.description == first for run in planned):
        console = open_console(errors=False)
        for title, text in first.items():
            console.print(f"{title + ':':<12} {text}", markup=False, highlight=False)
        console.print()


def _show_single_run(planned: "PlannedRun") -> None:
    spec = planned.single.spec
    show_plan(planned.plan, seed=spec.seed, sampling=spec.sampling, held_back=planned.held_back)


def _explain_differences(plans: "list[Plan]") -> None:
    by_size = {run_plan.batch_size: run_plan for run_plan in plans}
    for size, run_plan in by_size.items():
        if not run_plan.follows_the_notes:
            line = f"  b = {size:,}: {run_plan.difference}"
            open_console(errors=False).print(line, style="dim")


def _show_time_estimate(source: "SpecSource", access: "Access", jobs: int | None) -> None:
    """Time every program and print an estimate for all runs."""
    import psutil

    from kerasbatch.cli.display.plan_tables import run_count
    from kerasbatch.cli.display.preflight import display_with_keras
    from kerasbatch.cli.display.tables import duration, timing_table
    from kerasbatch.runs.executors import resources
    from kerasbatch.search.run_bounds import run_bounds
    from kerasbatch.spec.sweep.expand import expand

    singles = expand(source)
    least, most = bounds = run_bounds(source.spec, singles)
    count = resources.least_runs(singles)
    threads = resources.threads_per_run(count) if source.spec.makes_many else 0
    display = display_with_keras(
        quiet=False,
        verbose=False,
        threads=threads,
        load_optional=access.trusted,
        backend=source.spec.backend,
    )
    from kerasbatch.benchmark.sweep_estimate import time_programs, total_seconds

    start_seconds = time.time() - psutil.Process().create_time()
    workers = min(jobs or resources.default_jobs(), count)
    with source.located(), display.waiting_for("trying every batch size"):
        timings = list(time_programs(singles, access, []))
    console = open_console(errors=False)
    print_uncut(console, timing_table(timings))
    fast, slow = total_seconds(timings, workers, start_seconds)
    # The runs of a search take as long as those of its start, or end before.
    shortest, longest = duration(fast), duration(slow * max(1.0, most / len(singles)))
    suffix = "" if workers == 1 else f", by {counted(workers, 'worker')}"
    may_end_early = any(single.spec.target or single.spec.callbacks for single in singles)
    if may_end_early or least < most:
        span = f"at most {longest}, less if runs end before their budget"
    else:
        span = f"{shortest} to {longest}"
    console.print(
        f"{run_count(bounds)}{suffix}: {span}, {start_seconds:.1f} s to load Keras included"
    )
