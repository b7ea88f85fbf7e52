"""The plot `contour`: paths of gradient descent over the contours of J, and J by cost.

Runs that differ in their learning rate are drawn side by side, a panel for each rate.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
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
MANY_EVALUATIONS = 200
"""The largest number of evaluations of a path that is drawn with a heavy line."""
TITLE = "Paths over the contours of J(θ₀, θ₁); numbers: J; dots: where they end"
FAR = 2.0
"""The distance from the optimum, in units of the first, beyond which a path runs away."""
COLUMNS = 3
"""The largest number of learning rates side by side."""


def draw_contour(objective: Objective, paths: Sequence[Trajectory]) -> "Figure":
    """Return a figure: the contours of J with all paths, and J against the costs.

    Paths of several learning rates get a panel for each, with J against the steps below it.
    """
    from matplotlib.figure import Figure

    by_rate = _by_rate(paths)
    if len(by_rate) > 1:
        return _draw_rates(objective, by_rate)
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=[1.6, 1])
    axes = figure.add_subplot(grid[:, 0])
    numbers = line_numbers(paths)
    draw_contours(axes, objective, paths, numbers)
    axes.set_title(TITLE)
    for row, cost in enumerate(COSTS):
        draw_cost(figure.add_subplot(grid[row, 1]), cost, objective, paths, numbers)
    return figure


def _by_rate(paths: Sequence[Trajectory]) -> dict[str, list[Trajectory]]:
    by_rate: dict[str, list[Trajectory]] = {}
    for path in paths:
        by_rate.setdefault(path.rate, []).append(path)
    return by_rate


def _draw_rates(objective: Objective, by_rate: Mapping[str, Sequence[Trajectory]]) -> "Figure":
    """Return a figure with a block for each learning rate: its paths, and J below them."""
    from matplotlib.figure import Figure

    rows, columns = style.grid_shape(len(by_rate), COLUMNS)
    everyone = [path for paths in by_rate.values() for path in paths]
    numbers = line_numbers(everyone)
    figure = Figure(figsize=(5.2 * columns, 7 * rows), layout="constrained")
    blocks = figure.subfigures(rows, columns, squeeze=False).flat
    for block, (rate, paths) in zip(blocks, by_rate.items(), strict=False):
        above, below = block.subplots(2, 1, height_ratios=[2.2, 1])
        draw_contours(above, objective, paths, numbers, everyone)
        above.set_title(rate)
        draw_cost(below, "steps", objective, paths, numbers)
    figure.suptitle(TITLE)
    return figure


def line_numbers(paths: Sequence[Trajectory]) -> dict[str, int]:
    """Return the number of every line; the runs of one method with different seeds share one."""
    return {method: i for i, method in enumerate(dict.fromkeys(path.method for path in paths))}


def _style(number: int, path: Trajectory) -> dict[str, Any]:
    # The many turns of small batches need a thin line.
    width = 2.2 if len(path.theta) <= MANY_EVALUATIONS else 1.2
    colour, line = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
    return {"color": colour, "linestyle": line, "linewidth": width}


def distance_from_optimum(paths: Sequence[Trajectory], objective: Objective) -> float:
    """Return the root mean square distance from the optimum over the last quarter of the steps.

    Every path counts alike; nan where one is not finite.
    """
    quarters = [path.theta[path.steps >= 0.75 * path.steps[-1]] for path in paths]
    squares = [np.mean(((part - objective.optimum) ** 2).sum(axis=1)) for part in quarters]
    return float(np.sqrt(np.mean(squares)))


def draw_contours(
    axes: "Axes",
    objective: Objective,
    paths: Sequence[Trajectory],
    numbers: Mapping[str, int],
    beside: Sequence[Trajectory] = (),
) -> None:
    """Draw the contours of J with all paths.

    Args:
        axes: the axes.
        objective: J.
        paths: the paths.
        numbers: the number of the line of every method.
        beside: the paths of all panels, which get the same axes if none of them runs away.
    """
    near = all(_stays_near(path, objective) for path in beside)
    thetas = np.concatenate([path.theta for path in (beside if beside and near else paths)])
    x, y, height = contours(objective, thetas[np.isfinite(thetas).all(axis=1)])
    lines = axes.contour(x, y, height, levels=_levels(height), colors="0.72", linewidths=0.8)
    labels = axes.clabel(lines, fontsize=style.TEXT, fmt=_height, colors="0.3")
    for height_label in labels:
        height_label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
        height_label.set_zorder(2.5)
    for method in dict.fromkeys(path.method for path in paths):
        number, runs = numbers[method], [path for path in paths if path.method == method]
        distance = distance_from_optimum(runs, objective)
        label = f"{method}: {distance:.3g}" if np.isfinite(distance) else f"{method}: diverged"
        for path in runs:
            line = _style(number, path)
            axes.plot(*path.theta.T, **line, label=label, zorder=2)
            axes.plot(*path.theta[-1], "o", color=line["color"], markersize=7, zorder=3)
            label = ""
    axes.plot(*objective.optimum, "k*", markersize=13, label="optimum", zorder=4)
    axes.plot(*paths[0].theta[0], "ks", markersize=6, label="start", zorder=4)
    axes.set(xlabel="θ₀, the intercept", ylabel="θ₁, the slope")
    axes.legend(title="distance from the optimum, last quarter of the steps")


def _stays_near(path: Trajectory, objective: Objective) -> bool:
    """Return whether a path never goes much farther from the optimum than its start is."""
    away = np.linalg.norm(path.theta - objective.optimum, axis=1)
    return bool((away <= FAR * away[0]).all())


def _height(value: float) -> str:
    return style.tick_label(float(f"{value:.3g}"))


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


def draw_cost(
    axes: "Axes",
    cost: str,
    objective: Objective,
    paths: Sequence[Trajectory],
    numbers: Mapping[str, int],
) -> None:
    """Draw J against steps, examples or seconds, with the lines of `draw_contours`."""
    for path in paths:
        above = path.objective - objective.minimum
        axes.plot(getattr(path, cost), above, **_style(numbers[path.method], path))
    style.log_numbers(axes)
    if cost != "seconds":
        axes.set_xscale("symlog", linthresh=1)
    style.full_numbers(axes.xaxis)
    axes.set_xlim(left=0)
    axes.set(xlabel=COSTS[cost], ylabel="J - its minimum")
    axes.grid(visible=True, alpha=0.3)


def _content(request: PlotRequest) -> PlotContent[PlotPanel]:
    objective, paths = trajectories(request.loaded)
    numbers = line_numbers(paths)
    views = (
        PlotView(rate, tuple(_panels(objective, of_rate, numbers, f"{place}-")))
        for place, (rate, of_rate) in enumerate(_by_rate(paths).items())
    )
    return PlotContent("Paths of gradient descent over the contours of J", "", tuple(views))


def _panels(
    objective: Objective, paths: Sequence[Trajectory], numbers: Mapping[str, int], prefix: str
) -> Iterator[PlotPanel]:
    """Yield the panels of one learning rate, their names with a prefix."""
    yield PlotPanel(
        draw=lambda axes: draw_contours(axes, objective, paths, numbers),
        hover=[line_points(path.label, *path.theta.T) for path in paths],
        alternative=f"the paths of {len(paths)} runs over the contours of J; dots: where they end",
        name=f"{prefix}paths",
        wide=True,
    )
    for cost in COSTS:
        yield PlotPanel(
            draw=functools.partial(
                draw_cost, cost=cost, objective=objective, paths=paths, numbers=numbers
            ),
            hover=[
                line_points(path.label, getattr(path, cost), path.objective - objective.minimum)
                for path in paths
            ],
            alternative=f"J, less its minimum, over {COSTS[cost]}",
            name=f"{prefix}{cost}",
        )


KIND = PlotKind(
    figure=lambda request: draw_contour(*trajectories(request.loaded)),
    content=_content,
    needs_runs=False,
)
