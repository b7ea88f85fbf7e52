"""The plot `rates`: the cost of the target, or the judged metric, by learning rate."""

from collections.abc import Iterator, Sequence
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
from kerasbatch.records.run_status import SETTLED, RunStatus
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
        medians: the medians over seeds.
        low: the smallest values.
        high: the largest values.
        chosen: the learning rate that the comparison chose.
        given_up: the learning rate of every run that was stopped, and the steps it had taken; of
            shape (runs, 2).
    """

    batch_size: int
    rates: Array
    medians: Array
    low: Array
    high: Array
    chosen: float
    given_up: Array


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
    """Return a line for each batch size: the medians of seeds over the learning rates.

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
    runs = runs[runs["status"].isin(SETTLED) & runs[RATE].notna()]
    if runs.groupby("batch_size")[RATE].nunique().max() < 2 or not len(runs):
        message = "no batch size was trained with two learning rates; sweep optimizer.learning_rate"
        if others:
            message = (
                f"no two runs differ in their learning rate alone: {', '.join(others)} differs, too"
            )
        raise SpecError([Fault(("rates",), message)])
    column = "steps_to_target" if question.target is not None else question.judged
    if column is None:
        raise SpecError([Fault(("rates",), "no run has an evaluation to draw")])
    groups: Any = runs.groupby("batch_size")
    best = comparison.chosen.groupby("batch_size")[RATE].first()
    lines = tuple(_line(int(size), rows, column, float(best[size])) for size, rows in groups)
    empty = sum(map(_count_empty, lines))
    lower = question.target is not None or keras_registry.lower_is_better(column)
    values = np.concatenate([line.medians for line in lines])
    return RateLines(
        f"steps to {question.target}" if question.target else f"{column} at the end",
        lines,
        lower and bool(np.isfinite(values).any()) and style.spans_decades(values),
        "; ".join(_notes(lines, empty)),
    )


def _count_empty(line: RateLine) -> int:
    """Return the number of rates of which nothing is drawn."""
    stopped = set(line.given_up[:, 0]) if len(line.given_up) else set()
    return sum(
        bool(np.isnan(value)) and rate not in stopped
        for rate, value in zip(line.rates, line.medians, strict=True)
    )


def _notes(lines: Sequence[RateLine], empty: int) -> Iterator[str]:
    """Yield notes on the marks of the plot, and on settings without a value."""
    if any(len(line.given_up) for line in lines):
        yield "ring: the choice; triangle: a run was given up there"
    if empty:
        yield f"{counted(empty, 'rate')} without the target"


def _line(size: int, runs: pd.DataFrame, column: str, chosen: float) -> RateLine:
    is_stopped = runs["status"] == RunStatus.CAPPED
    stopped = runs.loc[is_stopped & runs[column].isna(), [RATE, "observed_steps"]]
    values = runs[column].astype(float).replace([np.inf, -np.inf], np.nan)
    groups = values.groupby(runs[RATE])
    medians, low, high = (part.to_numpy() for part in (groups.median(), groups.min(), groups.max()))
    rates = groups.median().index.to_numpy(float)
    return RateLine(size, rates, medians, low, high, chosen, stopped.to_numpy(float))


def draw_rates(axes: "Axes", drawn: RateLines) -> None:
    """Draw the lines, with the range of seeds as bars."""
    for line, line_style in zip(drawn.lines, style.line_styles(len(drawn.lines)), strict=True):
        bars = np.stack([line.medians - line.low, line.high - line.medians])
        axes.errorbar(
            line.rates,
            line.medians,
            yerr=bars,
            marker="o",
            markersize=3.5,
            linewidth=1.2,
            elinewidth=0.8,
            label=f"{line.batch_size:,}",
            **line_style,
        )
        _draw_search(axes, line, line_style["color"])
    rates = np.concatenate([line.rates for line in drawn.lines])
    axes.set_xlim(rates.min() / 1.5, rates.max() * 1.5)  # also where no rate has a value
    axes.set_xscale("log")
    style.full_numbers(axes.xaxis)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(drawn.measure)
    axes.grid(visible=True, alpha=0.3)
    if drawn.is_logarithmic:
        style.log_numbers(axes)
    else:
        style.full_numbers(axes.yaxis)


def _draw_search(axes: "Axes", line: RateLine, color: str) -> None:
    """Draw a ring around the chosen rate, and a triangle where a run was given up."""
    chosen = line.rates == line.chosen
    ring: dict[str, Any] = {"facecolors": "none", "edgecolors": color, "linewidths": 1.3}
    axes.scatter(line.rates[chosen], line.medians[chosen], marker="o", s=90, zorder=5, **ring)
    if len(line.given_up):
        rates, steps = line.given_up.T
        axes.scatter(rates, steps, marker="^", s=16, color=color, alpha=0.6, linewidths=0)


def _figure(request: PlotRequest) -> "Figure":
    drawn = rate_lines(request.loaded, request.comparison)
    figure, (axes,) = style.new_figure(1, width=6.4)
    draw_rates(axes, drawn)
    style.add_legend(figure, axes, "batch size")
    if drawn.note:
        figure.suptitle("\n".join(drawn.note.split("; ")))
    return figure


def _content(request: PlotRequest) -> PlotContent[PlotPanel]:
    drawn = rate_lines(request.loaded, request.comparison)
    sizes = ", ".join(f"{line.batch_size:,}" for line in drawn.lines)
    panel = PlotPanel(
        draw=lambda axes: draw_rates(axes, drawn),
        hover=[
            line_points(f"batch size {line.batch_size:,}", line.rates, line.medians)
            for line in drawn.lines
        ],
        alternative=f"{drawn.measure} over the learning rate, at batch size {sizes}",
        legend="batch size",
    )
    note = "; ".join(filter(None, ["medians of seeds, bars are their range", drawn.note]))
    return PlotContent("By learning rate", note, (PlotView("", (panel,)),))


KIND = PlotKind(figure=_figure, content=_content, options=("--target",))
