"""The plot `curves`: training and validation of each run, over steps, examples or seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.analysis.plots import style
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
from kerasbatch.spec import keras_registry
from kerasbatch.text import counted
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LINES = 120
"""The largest number of runs that are drawn."""


@dataclass(frozen=True)
class Curve:
    """One run.

    Args:
        batch_size: its batch size.
        run: its name.
        label: its label.
        x: the cost up to each evaluation, shape (evaluations,).
        training: the running mean in training, nan for the untrained model.
        evaluated: the same metric at fixed weights.
        unfinished: whether the run has not ended; its line is faint.
    """

    batch_size: int
    run: str
    label: str
    x: Array
    training: Array
    evaluated: Array
    unfinished: bool = False


@dataclass(frozen=True)
class Curves:
    """The runs of a plot.

    Args:
        metric: the column at fixed weights, such as val_accuracy.
        curves: the runs, by batch size.
        left_out: the number of runs that are not drawn.
        target: the value to reach, or None.
    """

    metric: str
    curves: tuple[Curve, ...]
    left_out: int
    target: float | None


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


MARGIN, LOG_MARGIN = 0.05, 1.2
"""The margins of an axis of values: a share of its span, and a factor."""
FEW_POINTS = 20
"""The largest number of evaluations that are marked."""


def draw_curves(drawn: Curves, cost: str) -> "Figure":
    """Return a figure: training at the left, the same at fixed weights at the right."""
    figure, (left, right) = style.new_figure(2, width=5.2)
    draw_curve_panel(left, drawn, cost, "training")
    draw_curve_panel(right, drawn, cost, "evaluated")
    style.add_legend(figure, right, "batch size")
    if note := "; ".join(curves_notes(drawn)):
        figure.suptitle(note)
    return figure


def draw_curve_panel(axes: "Axes", drawn: Curves, cost: str, part: str) -> None:
    """Draw one panel.

    Args:
        axes: the axes.
        drawn: the runs.
        cost: the cost on the x axis.
        part: `training` or `evaluated`.
    """
    sizes = sorted({curve.batch_size for curve in drawn.curves})
    styles = dict(zip(sizes, style.line_styles(len(sizes)), strict=True))
    labelled: set[int] = set()
    for curve in drawn.curves:
        label = None if curve.batch_size in labelled else f"{curve.batch_size:,}"
        labelled.add(curve.batch_size)
        alpha = 0.4 if curve.unfinished else 0.85
        line_style = styles[curve.batch_size] | {"linewidth": 1.2, "alpha": alpha, "label": label}
        line_style["marker"] = "." if len(curve.x) <= FEW_POINTS else ""
        axes.plot(curve.x, getattr(curve, part), **line_style)
    if drawn.target is not None and part == "evaluated":
        axes.axhline(drawn.target, color=style.GREY, linewidth=1, zorder=0, label="target")
    style.cost_axis(axes, cost, [float(curve.x.max()) for curve in drawn.curves if len(curve.x)])
    _value_axis(axes, drawn, part)
    plain = f"{drawn.metric.partition('_')[2]}, running mean of an epoch"
    axes.set_ylabel(plain if part == "training" else f"{drawn.metric}, at fixed weights")


def _value_axis(axes: "Axes", drawn: Curves, part: str) -> None:
    """Scale the axis of the values to trained models: logarithmic for a loss over decades.

    The value of the untrained model may lie outside; it would flatten everything else.
    """
    values = [getattr(curve, part)[curve.x > 0] for curve in drawn.curves]
    trained = np.concatenate([np.array([], float), *values])
    trained = trained[np.isfinite(trained)]
    if not len(trained):
        return
    if part == "evaluated" and drawn.target is not None:
        trained = np.append(trained, drawn.target)
    low, high = float(trained.min()), float(trained.max())
    if keras_registry.lower_is_better(drawn.metric) and style.spans_decades(trained):
        axes.set_ylim(low / LOG_MARGIN, high * LOG_MARGIN)
        style.log_numbers(axes)
    elif high > low:
        margin = MARGIN * (high - low)
        axes.set_ylim(low - margin, high + margin)


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
    sizes = sorted({curve.batch_size for curve in drawn.curves})
    return PlotPanel(
        draw=lambda axes: draw_curve_panel(axes, drawn, cost, part),
        hover=[line_points(curve.label, curve.x, getattr(curve, part)) for curve in drawn.curves],
        alternative=f"{drawn.metric}, {measure}, over {style.COSTS[cost]}: {len(drawn.curves)} "
        f"runs at batch size {', '.join(f'{size:,}' for size in sizes)}",
        name=f"{cost}-{part}",
        legend="batch size",
    )


KIND = PlotKind(figure=_figure, content=_content, options=("--x", "--target"))
