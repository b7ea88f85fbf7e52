"""Shared parts of plots over a training: lines of runs, their drawing, their content."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.hover import line_points
from kerasbatch.analysis.plots.kind import PlotContent, PlotPanel, PlotView
from kerasbatch.columns import RUN_KEYS
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LINES = 24
"""The largest number of runs that are drawn."""

Points = tuple[Array, Array, Array, Array]
"""The x values, the y values, and the edges of the band, all of shape (points,)."""


@dataclass(frozen=True)
class Line:
    """One run.

    Args:
        label: the label of the run.
        x: shape (points,).
        y: the values, or the means between two points.
        low: the lower edge of a band, or nan.
        high: its upper edge.
    """

    label: str
    x: Array
    y: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Lines:
    """The lines of a plot, and the number of runs that are not drawn."""

    lines: tuple[Line, ...]
    left_out: int


def lines_of_runs(
    loaded: Loaded, table: pd.DataFrame, points: Callable[[pd.DataFrame], Points]
) -> Lines:
    """Return a line for each run in a table of steps, by batch size.

    Args:
        loaded: the runs.
        table: rows of runs at steps.
        points: returns the points of the rows of one run.
    """
    groups: Any = dict(list(table.groupby(list(RUN_KEYS), sort=False)))
    ordered = loaded.runs.sort_values(["batch_size", *RUN_KEYS], kind="stable")
    all_places = [tuple(place) for place in ordered[list(RUN_KEYS)].itertuples(index=False)]
    places = [place for place in all_places if place in groups]
    lines = [
        Line(loaded.labels["/".join(place)], *points(groups[place])) for place in places[:MAX_LINES]
    ]
    return Lines(tuple(lines), len(places) - len(lines))


def draw_lines(lines: Lines, cost: str, name: str) -> "Figure":
    """Return a figure of one panel.

    Args:
        lines: the lines.
        cost: the cost on the x axis.
        name: the label of the y axis, with its unit.
    """
    figure, (axes,) = style.new_figure(1, width=8.0, height=4.5)
    draw_line_panel(axes, lines, cost, name)
    style.add_legend(figure, axes, "run")
    if lines.left_out:
        figure.suptitle(lines_left_out(lines))
    return figure


def draw_line_panel(axes: "Axes", lines: Lines, cost: str, name: str) -> None:
    """Draw the lines of all runs; the arguments are those of `draw_lines`."""
    for line, line_style in zip(lines.lines, style.line_styles(len(lines.lines)), strict=True):
        axes.plot(line.x, line.y, **line_style, linewidth=1.1, label=line.label)
        if np.isfinite(line.low).any():
            axes.fill_between(line.x, line.low, line.high, color=line_style["color"], alpha=0.15)
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines.lines])
    if len(values) and values.min() > 0:
        style.log_numbers(axes)
    style.cost_axis(axes, cost, [float(line.x.max()) for line in lines.lines])
    axes.set_ylabel(name)


def lines_left_out(lines: Lines) -> str:
    """Return the note on runs that are not drawn."""
    return f"{len(lines.lines)} runs; {lines.left_out} more are not drawn"


def lines_content(lines: Lines, title: str, measure: str) -> PlotContent[PlotPanel]:
    """Return the content of a plot over the steps for the report."""
    panel = PlotPanel(
        draw=lambda axes: draw_line_panel(axes, lines, "steps", measure),
        hover=[line_points(line.label, line.x, line.y) for line in lines.lines],
        alternative=f"{measure} over the steps of {len(lines.lines)} runs",
        legend="run",
    )
    note = lines_left_out(lines) if lines.left_out else ""
    return PlotContent(title, note, (PlotView("", (panel,)),))
