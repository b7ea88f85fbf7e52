"""Draws training and validation curves: the runs of a batch size in one colour."""

from typing import TYPE_CHECKING

from kerasbatch.analysis import look
from kerasbatch.analysis.curve_points import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(found: Curves, cost: str) -> "Figure":
    """Return a figure: training at the left, the same at fixed weights at the right."""
    made, (left, right) = look.figure(2, width=5.2)
    sizes = sorted({curve.batch_size for curve in found.curves})
    how = dict(zip(sizes, look.looks(len(sizes)), strict=True))
    named: set[int] = set()
    for curve in found.curves:
        style = how[curve.batch_size] | {"linewidth": 1.2, "alpha": 0.85}
        label = None if curve.batch_size in named else f"{curve.batch_size:,}"
        named.add(curve.batch_size)
        left.plot(curve.x, curve.training, **style)
        right.plot(curve.x, curve.evaluated, **style, label=label)
    if found.target is not None:
        right.axhline(found.target, color=look.GREY, linewidth=1, zorder=0, label="target")
    plain = found.metric.partition("_")[2]
    _finish(left, f"{plain}, running mean of an epoch", cost, found)
    _finish(right, f"{found.metric}, at fixed weights", cost, found)
    look.legend(made, right, "batch size")
    if found.left_out:
        made.suptitle(f"{len(found.curves)} runs; {found.left_out} more are not drawn", fontsize=9)
    return made


def _finish(axes: "Axes", name: str, cost: str, found: Curves) -> None:
    look.cost_axis(axes, cost, [float(curve.x.max()) for curve in found.curves if len(curve.x)])
    axes.set_ylabel(name)
