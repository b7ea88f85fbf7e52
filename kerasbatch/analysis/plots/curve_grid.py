"""Training curves as small multiples: a panel for each batch size, with all others in grey."""

from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.curve_panels import Curves, sizes_of, value_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
"""The largest number of panels side by side."""
OTHERS: dict[str, Any] = {"color": "0.82", "linewidth": 0.7}
"""The lines of the other batch sizes."""


def draw_small_multiples(drawn: Curves, cost: str) -> "Figure":
    """Return a figure with a panel for each batch size, all with the same axes."""
    from matplotlib.figure import Figure

    sizes = sizes_of(drawn)
    rows, columns = style.grid_shape(len(sizes), COLUMNS)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows + 0.6), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for number, axes in enumerate(panels[: len(sizes)]):
        _draw_size(axes, drawn, sizes[number])
        style.cost_axis(axes, cost, [float(curve.x.max()) for curve in drawn.curves])
        has_none_below = number + columns >= len(sizes)
        axes.tick_params(labelbottom=has_none_below)
        axes.set_xlabel(axes.get_xlabel() if has_none_below else "")
    for axes in panels[len(sizes) :]:
        axes.remove()
    value_axis(panels[0], drawn, "evaluated")
    figure.supylabel(f"{drawn.metric}, at fixed weights", fontsize=style.TEXT)
    handles, labels = panels[0].get_legend_handles_labels()
    if len(panels) == len(sizes):
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3)
    else:
        figure.legend(handles[::-1], labels[::-1], loc="lower right")
    return figure


def _draw_size(axes: "Axes", drawn: Curves, size: int) -> None:
    """Draw the runs of one batch size over all others in grey."""
    labels = {True: "this batch size, each seed", False: "all others"}
    for curve in sorted(drawn.curves, key=lambda curve: curve.batch_size == size):
        here = curve.batch_size == size
        line_style = {"color": style.COLOURS[0], "linewidth": 1.4} if here else OTHERS
        line_style = line_style | curve.visibility | {"label": labels.pop(here, "")}
        axes.plot(curve.x, curve.evaluated, **line_style)
    if drawn.target is not None:
        axes.axhline(drawn.target, color="0.3", linewidth=1, linestyle="--", label="target")
    axes.set_title(f"batch size {size:,}")
