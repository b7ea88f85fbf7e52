"""Draws what changes over a training: a line for each run, with its band."""

from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.analysis import look
from kerasbatch.analysis.step_points import Lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(found: Lines, cost: str, name: str) -> "Figure":
    """Return a figure of one panel.

    Args:
        found: the runs.
        cost: what the axis below tells.
        name: what the axis at the left tells, with its unit.
    """
    made, (axes,) = look.figure(1, width=8.0, height=4.5)
    draw_panel(axes, found, cost, name)
    look.legend(made, axes, "run")
    if found.left_out:
        made.suptitle(left_out(found), fontsize=9)
    return made


def draw_panel(axes: "Axes", found: Lines, cost: str, name: str) -> None:
    """Draw the lines of all runs; the arguments are those of `draw`."""
    for line, style in zip(found.lines, look.looks(len(found.lines)), strict=True):
        axes.plot(line.x, line.y, **style, linewidth=1.1, label=line.label)
        if np.isfinite(line.low).any():
            axes.fill_between(line.x, line.low, line.high, color=style["color"], alpha=0.15)
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in found.lines])
    if len(values) and values.min() > 0:
        look.log_numbers(axes)
    look.cost_axis(axes, cost, [float(line.x.max()) for line in found.lines])
    axes.set_ylabel(name)


def left_out(found: Lines) -> str:
    """Say how many runs are not drawn."""
    return f"{len(found.lines)} runs; {found.left_out} more are not drawn"
