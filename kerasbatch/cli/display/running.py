"""The view of experiments that another process trains."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kerasbatch.cli.display.tables import duration
from kerasbatch.text import format_number

if TYPE_CHECKING:
    from kerasbatch.analysis.loading.running import RunningExperiment, RunningRun

SHOWN_METRICS = 2
"""The metrics of a run that are shown: those at fixed weights first."""


def running_view(experiments: "Sequence[RunningExperiment]") -> RenderableType:
    """Return a heading and a table for every experiment."""
    if not experiments:
        return Text("no experiment")
    pairs = ((_heading(experiment), _table(experiment)) for experiment in experiments)
    return Group(*(part for pair in pairs for part in pair))


def _heading(experiment: "RunningExperiment") -> Text:
    ended = sum(experiment.ended.values())
    of_total = "" if experiment.total is None else f" of {experiment.total:,}"
    statuses = ", ".join(f"{count:,} {status}" for status, count in experiment.ended.items())
    state = "in training" if experiment.is_trained else "no process trains it"
    runs = "" if ended + len(experiment.runs) == 0 else f"{ended:,}{of_total} runs ended"
    details = f" ({statuses})" if statuses else ""
    return Text.assemble((experiment.path.name, "bold"), f": {state}; {runs}{details}")


def _table(experiment: "RunningExperiment") -> Table:
    names = _metric_names(experiment.runs)
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=bool(experiment.runs))
    table.add_column("run", overflow="fold")
    for name in ("done", "step", "steps/s", "left", *names, "changed"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in experiment.runs:
        table.add_row(
            run.run_id,
            "" if run.done is None else f"{run.done:.0%}",
            f"{run.step:,}",
            "" if run.steps_per_second is None else f"{run.steps_per_second:,.0f}",
            duration(left) if (left := run.seconds_left) and experiment.is_trained else "",
            *(format_number(run.metrics.get(name)) for name in names),
            Text(f"{duration(run.age)} ago", style="yellow" if run.is_old else ""),
        )
    return table


def _metric_names(runs: "Sequence[RunningRun]") -> list[str]:
    """Return the names of the metrics to show: val_loss and its like, before loss."""
    names = dict.fromkeys(name for run in runs for name in run.metrics if name != "learning_rate")
    fixed = [name for name in names if name.startswith(("val_", "train_"))]
    return [*fixed, *(name for name in names if name not in fixed)][:SHOWN_METRICS]
