"""The plan of a sweep as a table, and its totals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from kerasbatch.cli.display.tables import number
from kerasbatch.text import counted, value_label

if TYPE_CHECKING:
    from kerasbatch.runs.prepare.plans import PlannedRun


def sweep_table(runs: "Sequence[PlannedRun]") -> Table:
    """Return one line per run of a sweep."""
    keys = list(runs[0].single.swept)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key in keys:
        table.add_column(key.split(".")[-1])
    for name in ("n", "b", "steps/epoch", "last batch", "epochs", "steps", "n*e/b", "examples"):
        table.add_column(name, justify="right")
    for run in runs:
        plan = run.plan
        table.add_row(
            *(value_label(run.single.swept[key]) for key in keys),
            f"{plan.train_examples:,}",
            f"{plan.batch_size:,}",
            f"{plan.steps_per_epoch:,}",
            f"{plan.last_batch_size:,}",
            number(plan.position(plan.total_steps).epochs_done),
            f"{plan.total_steps:,}",
            number(plan.document_steps),
            f"{plan.examples:,}",
        )
    return table


def sweep_totals(runs: "Sequence[PlannedRun]", bounds: tuple[int, int]) -> str:
    """Return one line with the totals of a sweep.

    Args:
        runs: the runs of the sweep.
        bounds: the least and the most runs that its search trains.
    """
    plans = [run.plan for run in runs]
    sizes = len({plan.batch_size for plan in plans})
    if bounds[0] < bounds[1]:
        longest = counted(max(plan.total_steps for plan in plans), "step")
        at = f"at {counted(sizes, 'batch size')}"
        return f"in all {run_count(bounds)} {at}, each of at most {longest}"
    return (
        f"in all {counted(len(plans), 'run')} at {counted(sizes, 'batch size')}, "
        f"{counted(sum(plan.total_steps for plan in plans), 'step')}, "
        f"{counted(sum(plan.examples for plan in plans), 'example')} seen"
    )


def run_count(bounds: tuple[int, int]) -> str:
    """Return the number of runs as text: 12 runs, or 12 to 48 runs.

    Args:
        bounds: the least and the most runs.
    """
    least, most = bounds
    return counted(least, "run") if least == most else f"{least:,} to {counted(most, 'run')}"
