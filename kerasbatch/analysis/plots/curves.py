"""The plot `curves`: training and validation of each run, over steps, examples or seconds.

Many runs are drawn as small multiples, at fixed weights: a panel for each batch size, with all
others in grey.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.curve_grid import draw_small_multiples
from kerasbatch.analysis.plots.curve_panels import (
    Curve,
    Curves,
    draw_curve_panel,
    sizes_of,
)
from kerasbatch.analysis.plots.hover import line_points
from kerasbatch.analysis.plots.kind import (
    PlotContent,
    PlotKind,
    PlotPanel,
    PlotRequest,
    PlotView,
)
from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.run_status import RunStatus
from kerasbatch.text import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LINES = 120
"""The largest number of runs that are drawn."""
MANY_LINES = 8
"""The largest number of runs in one panel of a picture."""


def curves(loaded: Loaded, comparison: Comparison, cost: str) -> Curves:
    """Return the curves of the runs at the best learning rate of each batch size.

    Args:
        loaded: the runs.
        comparison: their comparison by batch size; the metric of its target is drawn, or its
            judged metric.
        cost: `steps`, `examples` or `seconds`.

    Raises:
        SpecError: if nothing was evaluated.
    """
    target, metric = comparison.question.target, comparison.question.judged
    metric = target.metric if target else metric
    if metric is None or metric not in loaded.history:
        raise SpecError([Fault(("curves",), "no run has an evaluation to draw")])
    chosen = comparison.chosen.sort_values(["batch_size", "seed"], kind="stable")
    drawn = chosen.head(MAX_LINES)
    history, column = loaded.history, COST_COLUMNS[cost]
    named = history.assign(run=run_keys(history)).groupby("run")
    lines, plain = [], metric.partition("_")[2]
    for run, size, status in zip(drawn["run"], drawn["batch_size"], drawn["status"], strict=True):
        if run in named.groups:
            rows = named.get_group(run)
            training = rows[plain] if plain in rows else np.full(len(rows), np.nan)
            x, running_mean, fixed = (
                np.asarray(part, dtype=float) for part in (rows[column], training, rows[metric])
            )
            unfinished = status == RunStatus.UNFINISHED
            label = loaded.labels[run] + (" (unfinished)" if unfinished else "")
            lines.append(Curve(int(size), run, label, x, running_mean, fixed, unfinished))
    return Curves(metric, tuple(lines), len(chosen) - len(drawn), target.value if target else None)


def draw_curves(drawn: Curves, cost: str) -> "Figure":
    """Return a figure: training at the left, the same at fixed weights at the right."""
    if len(drawn.curves) > MANY_LINES and len(sizes_of(drawn)) > 1:
        figure = draw_small_multiples(drawn, cost)
    else:
        figure, (left, right) = style.new_figure(2, width=5.2)
        draw_curve_panel(left, drawn, cost, "training")
        draw_curve_panel(right, drawn, cost, "evaluated")
        style.add_legend(figure, right, "batch size")
    if note := "; ".join(curves_notes(drawn)):
        figure.suptitle(note)
    return figure


def curves_notes(drawn: Curves) -> Iterator[str]:
    """Yield notes on runs that are not drawn, and on those that have not ended."""
    if drawn.left_out:
        yield f"{len(drawn.curves)} runs; {drawn.left_out} more are not drawn"
    if unfinished := sum(curve.unfinished for curve in drawn.curves):
        yield f"{counted(unfinished, 'unfinished run')} drawn faintly"


def _figure(request: PlotRequest) -> "Figure":
    return draw_curves(curves(request.loaded, request.comparison, request.cost), request.cost)


def _content(request: PlotRequest) -> PlotContent[PlotPanel]:
    views, note = [], "the runs at the best learning rate of each batch size"
    for cost in style.COSTS:
        drawn = curves(request.loaded, request.comparison, cost)
        panels = (_panel(drawn, cost, part) for part in ("training", "evaluated"))
        views.append(PlotView(f"over {style.COSTS[cost]}", tuple(panels)))
    note = "; ".join([note, *curves_notes(drawn)])
    return PlotContent(f"Training and {drawn.metric}", note, tuple(views))


def _panel(drawn: Curves, cost: str, part: str) -> PlotPanel:
    measure = "running mean in training" if part == "training" else "at fixed weights"
    sizes = sizes_of(drawn)
    return PlotPanel(
        draw=lambda axes: draw_curve_panel(axes, drawn, cost, part),
        hover=[line_points(curve.label, curve.x, getattr(curve, part)) for curve in drawn.curves],
        alternative=f"{drawn.metric}, {measure}, over {style.COSTS[cost]}: {len(drawn.curves)} "
        f"runs at batch size {', '.join(f'{size:,}' for size in sizes)}",
        name=f"{cost}-{part}",
        legend="batch size",
    )


KIND = PlotKind(figure=_figure, content=_content, options=("--x", "--target"))
