"""Draws training and validation curves: the runs of a batch size in one colour."""

from typing import TYPE_CHECKING

from kerasbatch.analysis import look
from kerasbatch.analysis.curve_points import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FEW_POINTS = 20
"""Evaluations up to which each is marked."""


def draw(found: Curves, cost: str) -> "Figure":
    """Return a figure: training at the left, the same at fixed weights at the right."""
    made, (left, right) = look.figure(2, width=5.2)
    draw_panel(left, found, cost, "training")
    draw_panel(right, found, cost, "evaluated")
    look.legend(made, right, "batch size")
    if found.left_out:
        made.suptitle(left_out(found), fontsize=9)
    return made


def draw_panel(axes: "Axes", found: Curves, cost: str, part: str) -> None:
    """Draw one panel.

    Args:
        axes: where.
        found: the runs.
        cost: what the axis below tells.
        part: `training` or `evaluated`.
    """
    sizes = sorted({curve.batch_size for curve in found.curves})
    how = dict(zip(sizes, look.looks(len(sizes)), strict=True))
    named: set[int] = set()
    for curve in found.curves:
        label = None if curve.batch_size in named else f"{curve.batch_size:,}"
        named.add(curve.batch_size)
        style = how[curve.batch_size] | {"linewidth": 1.2, "alpha": 0.85, "label": label}
        style["marker"] = "." if len(curve.x) <= FEW_POINTS else ""
        axes.plot(curve.x, getattr(curve, part), **style)
    if found.target is not None and part == "evaluated":
        axes.axhline(found.target, color=look.GREY, linewidth=1, zorder=0, label="target")
    look.cost_axis(axes, cost, [float(curve.x.max()) for curve in found.curves if len(curve.x)])
    plain = f"{found.metric.partition('_')[2]}, running mean of an epoch"
    axes.set_ylabel(plain if part == "training" else f"{found.metric}, at fixed weights")


def left_out(found: Curves) -> str:
    """Say how many runs are not drawn."""
    return f"{len(found.curves)} runs; {found.left_out} more are not drawn"
