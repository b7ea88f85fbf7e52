"""Draws measures against the batch size: each run a dot, a line through the medians."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kerasbatch.analysis import look
from kerasbatch.analysis.size_points import Panel, Panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(found: Panels) -> "Figure":
    """Return a figure of one panel for each measure, on logarithmic axes."""
    width = 4.6 if len(found.panels) > 1 else 6.0
    made, every = look.figure(len(found.panels), width=width)
    for axes, panel in zip(every, found.panels, strict=True):
        draw_panel(axes, panel, found.sizes)
    made.suptitle("\n".join([found.title, *found.notes]), fontsize=10)
    return made


def draw_panel(axes: "Axes", panel: Panel, sizes: Sequence[int]) -> None:
    """Draw one measure.

    Args:
        axes: where.
        panel: the measure.
        sizes: the batch sizes that the axis shows.
    """
    _points(axes, panel)
    look.batch_size_axis(axes, sizes)
    if panel.from_zero:
        axes.set_ylim(0, 1.1 * max(panel.values))
        look.written_out(axes.yaxis)
    else:
        look.log_numbers(axes)
    axes.set_ylabel(panel.measure)
    if panel.perfect or panel.missed or panel.band:
        axes.legend(fontsize=8)


def _points(axes: "Axes", panel: Panel) -> None:
    if panel.band is not None:
        band = panel.band
        axes.fill_between(band.sizes, band.low, band.high, color="#E69F00", alpha=0.3, linewidth=0)
        axes.plot(band.sizes, band.steps, color="#D55E00", linewidth=1.4, label=band.label)
    if panel.perfect is not None:
        axes.plot(*panel.perfect, color=look.GREY, linestyle=":", label="perfect scaling")
    if panel.sizes:
        axes.plot(*panel.medians, color=look.DOT, linewidth=1.2, zorder=2)
        axes.plot(panel.sizes, panel.values, "o", color=look.DOT, markersize=4, alpha=0.7)
    if panel.missed:
        axes.scatter(
            panel.missed,
            panel.spent,
            s=36,
            marker="^",
            facecolors="none",
            edgecolors="#000000",
            label="not reached, at its end",
            zorder=3,
        )
