"""What changes over a training, as points: the loss of every step, the noise of the gradient."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.loading.load import PLACE, Loaded
from kerasbatch.analysis.plots import style
from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LINES = 24
MAX_POINTS = 1500
"""Points of a line; more are drawn as means with a band from the least to the greatest."""


Points = tuple[Array, Array, Array, Array]
"""Where, the values, and the edges of the band; each of shape (points,)."""


@dataclass(frozen=True)
class Line:
    """One run.

    Args:
        label: what tells it from the others.
        x: shape (points,).
        y: the values, or the means of what lies between two points.
        low: the lower edge of a band, nan where there is none.
        high: its upper edge.
    """

    label: str
    x: Array
    y: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Lines:
    """The runs of a picture, and how many are not drawn since there are too many."""

    lines: tuple[Line, ...]
    left_out: int


def step_losses(loaded: Loaded) -> Lines:
    """Return the loss of every step of the runs that recorded it.

    Raises:
        SpecError: if no run has.
    """
    table = loaded.step_losses
    if table.empty:
        message = "no run has the loss of every step; write record: [steps] into the spec"
        raise SpecError([Fault(("step_loss",), message)])
    return _lines(loaded, table, lambda rows: _thinned(rows["step"], rows["loss"]))


def noise(loaded: Loaded, cost: str) -> Lines:
    """Return the noise scale at every evaluation of the runs that recorded it.

    Args:
        loaded: the runs.
        cost: `steps` or `examples`.

    Raises:
        SpecError: if no run has, or seconds are asked for.
    """
    table = loaded.noise
    if table.empty:
        message = "no run has the noise of its gradient (noise.csv)"
        raise SpecError([Fault(("noise",), message)])
    if COST_COLUMNS[cost] not in table:
        raise SpecError([Fault(("--x",), "noise is told over steps or examples")])

    def points(rows: pd.DataFrame) -> Points:
        x, scale, low, high = (
            rows[name].to_numpy(dtype=float)
            for name in (COST_COLUMNS[cost], "noise_scale", "low", "high")
        )
        finite = np.isfinite(low) & np.isfinite(high)
        return x, scale, np.where(finite, low, np.nan), np.where(finite, high, np.nan)

    return _lines(loaded, table, points)


def _lines(loaded: Loaded, table: pd.DataFrame, points: Callable[[pd.DataFrame], Points]) -> Lines:
    groups: Any = dict(list(table.groupby(list(PLACE), sort=False)))
    ordered = loaded.runs.sort_values(["batch_size", *PLACE], kind="stable")
    every = [tuple(place) for place in ordered[list(PLACE)].itertuples(index=False)]
    places = [place for place in every if place in groups]
    made = [
        Line(loaded.labels["/".join(place)], *points(groups[place])) for place in places[:MAX_LINES]
    ]
    return Lines(tuple(made), len(places) - len(made))


def _thinned(steps: "pd.Series[float]", losses: "pd.Series[float]") -> Points:
    """Return at most MAX_POINTS points: means of equally many steps, with least and greatest."""
    x, y = steps.to_numpy(dtype=float), losses.to_numpy(dtype=float)
    nothing = np.full(len(x), np.nan)
    if len(x) <= MAX_POINTS:
        return x, y, nothing, nothing
    parts = np.array_split(np.arange(len(x)), MAX_POINTS)
    return (
        np.array([x[part[-1]] for part in parts]),
        np.array([y[part].mean() for part in parts]),
        np.array([y[part].min() for part in parts]),
        np.array([y[part].max() for part in parts]),
    )


def draw_lines(found: Lines, cost: str, name: str) -> "Figure":
    """Return a figure of one panel.

    Args:
        found: the runs.
        cost: what the axis below tells.
        name: what the axis at the left tells, with its unit.
    """
    made, (axes,) = style.new_figure(1, width=8.0, height=4.5)
    draw_line_panel(axes, found, cost, name)
    style.add_legend(made, axes, "run")
    if found.left_out:
        made.suptitle(lines_left_out(found), fontsize=9)
    return made


def draw_line_panel(axes: "Axes", found: Lines, cost: str, name: str) -> None:
    """Draw the lines of all runs; the arguments are those of `draw`."""
    for line, look in zip(found.lines, style.line_styles(len(found.lines)), strict=True):
        axes.plot(line.x, line.y, **look, linewidth=1.1, label=line.label)
        if np.isfinite(line.low).any():
            axes.fill_between(line.x, line.low, line.high, color=look["color"], alpha=0.15)
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in found.lines])
    if len(values) and values.min() > 0:
        style.log_numbers(axes)
    style.cost_axis(axes, cost, [float(line.x.max()) for line in found.lines])
    axes.set_ylabel(name)


def lines_left_out(found: Lines) -> str:
    """Say how many runs are not drawn."""
    return f"{len(found.lines)} runs; {found.left_out} more are not drawn"
