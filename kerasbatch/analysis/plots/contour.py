"""The notes' picture: paths of gradient descent over contours, and J against what it cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.style import COLOURS, COSTS, STYLES
from kerasbatch.analysis.plots.trajectory import Objective, Trajectory
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


def _look(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number % len(STYLES)]}


def draw_contours(axes: "Axes", objective: Objective, paths: Sequence[Trajectory]) -> None:
    """Draw the contours of J with all paths."""
    every = np.concatenate([path.theta for path in paths])
    x, y, height = contours(objective, every[np.isfinite(every).all(axis=1)])
    lines = axes.contour(x, y, height, levels=_levels(height), colors="0.72", linewidths=0.8)
    axes.clabel(lines, fontsize=7, fmt="%.3g")
    for number, path in enumerate(paths):
        axes.plot(*path.theta.T, **_look(number), linewidth=1.1, label=path.label, zorder=2)
        axes.plot(*path.theta[-1], "o", color=_look(number)["color"], markersize=5, zorder=3)
    axes.plot(*objective.optimum, "k*", markersize=13, label="optimum", zorder=4)
    axes.plot(*paths[0].theta[0], "ks", markersize=6, label="start", zorder=4)
    axes.set(xlabel="θ₀, the intercept", ylabel="θ₁, the slope")
    axes.set_title("Paths over the contours of J(θ₀, θ₁); dots: where they end")
    axes.legend(fontsize=9)


def contours(objective: Objective, thetas: Array) -> tuple[Array, Array, Array]:
    """Return a grid around some thetas and the optimum, and J on it.

    Returns:
        The two axes, shape (GRID,) each, and J, shape (GRID, GRID).
    """
    every = np.vstack([thetas, objective.optimum])
    low, high = every.min(axis=0), every.max(axis=0)
    margin = 0.1 * (high - low) + 0.1
    x, y = np.linspace(low - margin, high + margin, GRID).T
    return x, y, objective(np.stack(np.meshgrid(x, y), axis=-1))


def _levels(height: Array) -> Array:
    """Return heights whose distance grows, so that the contours stand about evenly."""
    low, high = float(height.min()), float(height.max())
    levels: Array = low + (high - low) * np.linspace(0.03, 1.0, LEVELS) ** 2
    return levels


def draw_cost(axes: "Axes", cost: str, objective: Objective, paths: Sequence[Trajectory]) -> None:
    """Draw J against steps, examples or seconds."""
    for number, path in enumerate(paths):
        above = path.objective - objective.minimum
        axes.plot(getattr(path, cost), above, **_look(number), linewidth=1.0)
    style.log_numbers(axes)
    axes.set_xscale("symlog" if cost != "seconds" else "linear")
    style.full_numbers(axes.xaxis)
    axes.set_xlim(left=0)
    axes.set(xlabel=COSTS[cost], ylabel="J - its minimum")
    axes.grid(visible=True, alpha=0.3)
