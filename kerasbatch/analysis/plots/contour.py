"""The plot `contour`: paths of gradient descent over the contours of J, and J by cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.hover import line_points
from kerasbatch.analysis.plots.kind import (
    PlotContent,
    PlotKind,
    PlotPanel,
    PlotRequest,
    PlotView,
)
from kerasbatch.analysis.plots.style import COLOURS, COSTS, STYLES
from kerasbatch.analysis.plots.trajectory import Objective, Trajectory, trajectories
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = 12
GRID = 200


def draw_contour(objective: Objective, paths: Sequence[Trajectory]) -> "Figure":
    """Return a figure: the contours of J with all paths, beside it J against the costs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=[1.6, 1])
    draw_contours(figure.add_subplot(grid[:, 0]), objective, paths)
    for row, cost in enumerate(COSTS):
        draw_cost(figure.add_subplot(grid[row, 1]), cost, objective, paths)
    return figure


def _style(number: int) -> dict[str, Any]:
    # The first path is that of the smallest batch: its many turns need a thin line.
    width = 1.2 if number == 0 else 2.2
    colour, line = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
    return {"color": colour, "linestyle": line, "linewidth": width}


def draw_contours(axes: "Axes", objective: Objective, paths: Sequence[Trajectory]) -> None:
    """Draw the contours of J with all paths."""
    thetas = np.concatenate([path.theta for path in paths])
    x, y, height = contours(objective, thetas[np.isfinite(thetas).all(axis=1)])
    lines = axes.contour(x, y, height, levels=_levels(height), colors="0.72", linewidths=0.8)
    labels = axes.clabel(lines, fontsize=style.TEXT, fmt="%.2g", colors="0.3")
    for label in labels:
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
        label.set_zorder(2.5)
    for number, path in enumerate(paths):
        axes.plot(*path.theta.T, **_style(number), label=path.label, zorder=2)
        axes.plot(*path.theta[-1], "o", color=_style(number)["color"], markersize=7, zorder=3)
    axes.plot(*objective.optimum, "k*", markersize=13, label="optimum", zorder=4)
    axes.plot(*paths[0].theta[0], "ks", markersize=6, label="start", zorder=4)
    axes.set(xlabel="θ₀, the intercept", ylabel="θ₁, the slope")
    axes.set_title("Paths over the contours of J(θ₀, θ₁); dots: where they end")
    axes.legend()


def contours(objective: Objective, thetas: Array) -> tuple[Array, Array, Array]:
    """Return a grid around some thetas and the optimum, and J on it.

    Returns:
        The two axes, shape (GRID,) each, and J, shape (GRID, GRID).
    """
    points = np.vstack([thetas, objective.optimum])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.1 * (high - low) + 0.1
    x, y = np.linspace(low - margin, high + margin, GRID).T
    return x, y, objective(np.stack(np.meshgrid(x, y), axis=-1))


def _levels(height: Array) -> Array:
    """Return levels at growing distances, so that the contours are about evenly spaced."""
    low, high = float(height.min()), float(height.max())
    levels: Array = low + (high - low) * np.linspace(0.03, 1.0, LEVELS) ** 2
    return levels


def draw_cost(axes: "Axes", cost: str, objective: Objective, paths: Sequence[Trajectory]) -> None:
    """Draw J against steps, examples or seconds."""
    for number, path in enumerate(paths):
        above = path.objective - objective.minimum
        axes.plot(getattr(path, cost), above, **_style(number))
    style.log_numbers(axes)
    axes.set_xscale("symlog" if cost != "seconds" else "linear")
    style.full_numbers(axes.xaxis)
    axes.set_xlim(left=0)
    axes.set(xlabel=COSTS[cost], ylabel="J - its minimum")
    axes.grid(visible=True, alpha=0.3)


def _content(request: PlotRequest) -> PlotContent[PlotPanel]:
    objective, paths = trajectories(request.loaded)
    over_contours = PlotPanel(
        draw=lambda axes: draw_contours(axes, objective, paths),
        hover=[line_points(path.label, *path.theta.T) for path in paths],
        alternative=f"the paths of {len(paths)} runs over the contours of J; dots: where they end",
        name="paths",
        wide=True,
    )
    over_costs = (_cost_panel(cost, objective, paths) for cost in COSTS)
    title = "Paths of gradient descent over the contours of J"
    return PlotContent(title, "", (PlotView("", (over_contours, *over_costs)),))


def _cost_panel(cost: str, objective: Objective, paths: Sequence[Trajectory]) -> PlotPanel:
    return PlotPanel(
        draw=lambda axes: draw_cost(axes, cost, objective, paths),
        hover=[
            line_points(path.label, getattr(path, cost), path.objective - objective.minimum)
            for path in paths
        ],
        alternative=f"J, less its minimum, over {COSTS[cost]}",
        name=cost,
    )


KIND = PlotKind(
    figure=lambda request: draw_contour(*trajectories(request.loaded)),
    content=_content,
    needs_runs=False,
)
