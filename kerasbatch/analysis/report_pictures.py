"""The pictures of a report: each panel an SVG of its own, which a phone stands in a column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis import (
    contour_picture,
    curve_picture,
    look,
    readings,
    size_picture,
    size_points,
    step_picture,
    step_points,
    svg,
)
from kerasbatch.analysis.compare import Comparison
from kerasbatch.analysis.curve_points import Curves, curves
from kerasbatch.analysis.loaded import Loaded
from kerasbatch.analysis.paths import objective_and_paths
from kerasbatch.analysis.readings import Reading
from kerasbatch.analysis.size_points import Panel, Panels
from kerasbatch.errors import SpecError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 4.6, 3.7
"""Of a panel, in inches: texts keep their size on a phone."""


@dataclass(frozen=True)
class Drawn:
    """One panel.

    Args:
        svg: the panel, as an `svg` element.
        readable: what stands under the pointer.
        alternative: what is to be seen, in words.
        wide: whether it needs the room of several.
    """

    svg: str
    readable: dict[str, Any]
    alternative: str
    wide: bool = False


@dataclass(frozen=True)
class View:
    """Panels that are seen together.

    Args:
        choice: what a person chooses it by, where there are several; or empty.
        panels: what is seen.
    """

    choice: str
    panels: tuple[Drawn, ...]


@dataclass(frozen=True)
class Picture:
    """One picture of the report.

    Args:
        name: letters, digits and dashes.
        title: what it shows.
        note: what must be known of it, or empty.
        views: one, or several to choose from.
    """

    name: str
    title: str
    note: str
    views: tuple[View, ...]


def pictures(loaded: Loaded, found: Comparison, name: str) -> tuple[list[Picture], list[str]]:
    """Draw whatever the runs have.

    Args:
        loaded: the runs.
        found: their comparison by batch size.
        name: how the names of the pictures begin.

    Returns:
        The pictures, and why others are not drawn.
    """
    made, missing = [], []
    with look.drawing():
        for kind, draw in KINDS.items():
            try:
                made.append(draw(loaded, found, f"{name}-{kind.replace('_', '-')}"))
            except SpecError as error:
                missing.append(error.faults[0].message)
    return made, missing


def _to_target(loaded: Loaded, found: Comparison, name: str) -> Picture:
    points = size_points.to_target(loaded, found)
    return _by_size(points, name, "a dot is a run at its best learning rate, the line the median")


def _throughput(loaded: Loaded, found: Comparison, name: str) -> Picture:
    return _by_size(size_points.throughput(loaded), name, "every run is a dot")


def _memory(loaded: Loaded, found: Comparison, name: str) -> Picture:
    return _by_size(size_points.memory(loaded), name, "every run is a dot")


def _by_size(found: Panels, name: str, note: str) -> Picture:
    def panel(number: int, each: Panel) -> Drawn:
        return _drawn(
            f"{name}-{number}",
            lambda axes: size_picture.draw_panel(axes, each, found.sizes),
            readings.of_panel(each),
            _medians(each),
        )

    panels = tuple(panel(number, each) for number, each in enumerate(found.panels))
    return Picture(name, found.title, "; ".join([note, *found.notes]), (View("", panels),))


def _medians(panel: Panel) -> str:
    told = [f"{size:,}: {look.number(value)}" for size, value in zip(*panel.medians, strict=True)]
    missed = f"; {len(panel.missed)} runs did not reach the target" if panel.missed else ""
    return f"{panel.measure} by batch size, medians: {', '.join(told) or 'none'}{missed}"


def _curves(loaded: Loaded, found: Comparison, name: str) -> Picture:
    views, note = [], "the runs at the best learning rate of each batch size"
    for cost in look.COSTS:
        drawn = curves(loaded, found, cost)
        panels = (_curve(drawn, cost, part, name) for part in ("training", "evaluated"))
        views.append(View(f"over {look.COSTS[cost]}", tuple(panels)))
    if drawn.left_out:
        note = f"{note}; {curve_picture.left_out(drawn)}"
    return Picture(name, f"Training and {drawn.metric}", note, tuple(views))


def _curve(found: Curves, cost: str, part: str, name: str) -> Drawn:
    what = "running mean in training" if part == "training" else "at fixed weights"
    sizes = sorted({each.batch_size for each in found.curves})
    return _drawn(
        f"{name}-{cost}-{part}",
        lambda axes: curve_picture.draw_panel(axes, found, cost, part),
        readings.of_curves(found, part),
        f"{found.metric}, {what}, over {look.COSTS[cost]}: {len(found.curves)} runs at batch size "
        f"{', '.join(f'{size:,}' for size in sizes)}",
        legend="batch size",
    )


def _step_loss(loaded: Loaded, found: Comparison, name: str) -> Picture:
    lines = step_points.step_losses(loaded)
    return _over_steps(lines, "The loss of every step", "loss of a step", name)


def _noise(loaded: Loaded, found: Comparison, name: str) -> Picture:
    lines = step_points.noise(loaded, "steps")
    measure = "noise scale, examples (95 % interval)"
    return _over_steps(lines, "The noise of the gradient", measure, name)


def _over_steps(found: step_points.Lines, title: str, measure: str, name: str) -> Picture:
    panel = _drawn(
        name,
        lambda axes: step_picture.draw_panel(axes, found, "steps", measure),
        readings.of_lines(found),
        f"{measure} over the steps of {len(found.lines)} runs",
        legend="run",
    )
    note = step_picture.left_out(found) if found.left_out else ""
    return Picture(name, title, note, (View("", (panel,)),))


def _contour(loaded: Loaded, found: Comparison, name: str) -> Picture:
    objective, paths = objective_and_paths(loaded)
    ways = _drawn(
        f"{name}-paths",
        lambda axes: contour_picture.draw_contours(axes, objective, paths),
        readings.of_paths(paths),
        f"the paths of {len(paths)} runs over the contours of J; dots: where they end",
        wide=True,
    )

    def over(cost: str) -> Drawn:
        return _drawn(
            f"{name}-{cost}",
            lambda axes: contour_picture.draw_cost(axes, cost, objective, paths),
            readings.of_costs(paths, cost, objective),
            f"J, less its minimum, over {look.COSTS[cost]}",
        )

    costs = map(over, look.COSTS)
    title = "Paths of gradient descent over the contours of J"
    return Picture(name, title, "", (View("", (ways, *costs)),))


KINDS: dict[str, Callable[[Loaded, Comparison, str], Picture]] = {
    "to_target": _to_target,
    "curves": _curves,
    "contour": _contour,
    "throughput": _throughput,
    "memory": _memory,
    "step_loss": _step_loss,
    "noise": _noise,
}


def _drawn(
    name: str,
    draw: Callable[["Axes"], None],
    lines: Sequence[Reading],
    alternative: str,
    legend: str = "",
    *,
    wide: bool = False,
) -> Drawn:
    larger = 1.5 if wide else 1.0
    figure, (axes,) = look.figure(1, width=larger * WIDTH, height=larger * HEIGHT)
    draw(axes)
    axes.set_title("")  # the page has one
    if legend:
        look.legend(figure, axes, legend, below=True)
    return Drawn(
        svg.written(figure, name, alternative), svg.readable(figure, lines), alternative, wide
    )
