"""The plot `rates`: the cost of the target, or the judged metric, by learning rate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.comparison.selection import judge_runs
from kerasbatch.analysis.comparison.settings import RATE
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.hover import line_points
from kerasbatch.analysis.plots.kind import PlotContent, PlotKind, PlotPanel, PlotRequest, PlotView
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.run_status import FINISHED
from kerasbatch.spec import keras_registry
from kerasbatch.text import counted
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class RateLine:
    """One batch size; arrays of shape (rates,), by ascending rate.

    Args:
        batch_size: the batch size.
        rates: the learning rates.
        means: the means over seeds.
        low: the smallest values.
        high: the largest values.
    """

    batch_size: int
    rates: Array
    means: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class RateLines:
    """The lines of a plot.

    Args:
        measure: the label of the axis.
        lines: one for each batch size.
        is_logarithmic: whether the axis of the values is logarithmic.
        note: a note on settings without a value, or empty.
    """

    measure: str
    lines: tuple[RateLine, ...]
    is_logarithmic: bool
    note: str


def rate_lines(loaded: Loaded, comparison: Comparison) -> RateLines:
    """Return a line for each batch size: the means of seeds over the learning rates.

    With a target: the steps to it, of the runs that reached it; else the judged metric. The other
    settings are those of the comparison.

    Args:
        loaded: the runs.
        comparison: their comparison by batch size.

    Raises:
        SpecError: if no batch size has two learning rates.
    """
    question = comparison.question
    others = [key for key in question.tuned if key != RATE]
    chosen = comparison.chosen[["batch_size", *others]].drop_duplicates()
    runs = judge_runs(loaded, question).merge(chosen, on=["batch_size", *others])
    runs = runs[runs["status"].isin(FINISHED) & runs[RATE].notna()]
    if runs.groupby("batch_size")[RATE].nunique().max() < 2 or not len(runs):
        message = "no batch size was trained with two learning rates; sweep optimizer.learning_rate"
        raise SpecError([Fault(("rates",), message)])
    column = "steps_to_target" if question.target is not None else question.judged
    if column is None:
        raise SpecError([Fault(("rates",), "no run has an evaluation to draw")])
    groups: Any = runs.groupby("batch_size")
    lines = tuple(_line(int(size), rows, column) for size, rows in groups)
    empty = int(sum(np.isnan(line.means).sum() for line in lines))
    lower = question.target is not None or keras_registry.lower_is_better(column)
    values = np.concatenate([line.means for line in lines])
    return RateLines(
        f"steps to {question.target}" if question.target else f"{column} at the end",
        lines,
        lower and style.spans_decades(values),
        f"{counted(empty, 'setting')} without a value" if empty else "",
    )


def _line(size: int, runs: pd.DataFrame, column: str) -> RateLine:
    values = runs[column].astype(float).replace([np.inf, -np.inf], np.nan)
    groups = values.groupby(runs[RATE])
    means, low, high = (part.to_numpy() for part in (groups.mean(), groups.min(), groups.max()))
    return RateLine(size, groups.mean().index.to_numpy(float), means, low, high)


def draw_rates(axes: "Axes", drawn: RateLines) -> None:
    """Draw the lines, with the range of seeds as bars."""
    for line, line_style in zip(drawn.lines, style.line_styles(len(drawn.lines)), strict=True):
        bars = np.stack([line.means - line.low, line.high - line.means])
        axes.errorbar(
            line.rates,
            line.means,
            yerr=bars,
            marker="o",
            markersize=3.5,
            linewidth=1.2,
            elinewidth=0.8,
            label=f"{line.batch_size:,}",
            **line_style,
        )
    axes.set_xscale("log")
    style.full_numbers(axes.xaxis)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(drawn.measure)
    axes.grid(visible=True, alpha=0.3)
    if drawn.is_logarithmic:
        style.log_numbers(axes)
    else:
        style.full_numbers(axes.yaxis)


def _figure(request: PlotRequest) -> "Figure":
    drawn = rate_lines(request.loaded, request.comparison)
    figure, (axes,) = style.new_figure(1, width=6.4)
    draw_rates(axes, drawn)
    style.add_legend(figure, axes, "batch size")
    if drawn.note:
        figure.suptitle(drawn.note)
    return figure


def _content(request: PlotRequest) -> PlotContent[PlotPanel]:
    drawn = rate_lines(request.loaded, request.comparison)
    sizes = ", ".join(f"{line.batch_size:,}" for line in drawn.lines)
    panel = PlotPanel(
        draw=lambda axes: draw_rates(axes, drawn),
        hover=[
            line_points(f"batch size {line.batch_size:,}", line.rates, line.means)
            for line in drawn.lines
        ],
        alternative=f"{drawn.measure} over the learning rate, at batch size {sizes}",
        legend="batch size",
    )
    note = "; ".join(filter(None, ["means of seeds, bars are their range", drawn.note]))
    return PlotContent("By learning rate", note, (PlotView("", (panel,)),))


KIND = PlotKind(figure=_figure, content=_content, options=("--target",))
