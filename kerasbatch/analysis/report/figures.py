"""The pictures of a report: each panel an SVG of its own, which a phone stands in a column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.comparison.compare import Comparison
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots import hover, style
from kerasbatch.analysis.plots.by_batch_size import (
    Panel,
    Panels,
    draw_panel,
    memory,
    throughput,
    to_target,
)
from kerasbatch.analysis.plots.by_step import (
    Lines,
    draw_line_panel,
    lines_left_out,
    noise,
    step_losses,
)
from kerasbatch.analysis.plots.contour import draw_contours, draw_cost
from kerasbatch.analysis.plots.curves import Curves, curves, curves_left_out, draw_curve_panel
from kerasbatch.analysis.plots.hover import HoverPoints
from kerasbatch.analysis.plots.trajectory import trajectories
from kerasbatch.analysis.report.svg import figure_svg, hover_data
from kerasbatch.errors import SpecError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 4.6, 3.7
"""Of a panel, in inches: texts keep their size on a phone."""


@dataclass(frozen=True)
class PanelFigure:
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
    panels: tuple[PanelFigure, ...]


@dataclass(frozen=True)
class ReportFigure:
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


def report_figures(
    loaded: Loaded, found: Comparison, name: str
) -> tuple[list[ReportFigure], list[str]]:
    """Draw whatever the runs have.

    Args:
        loaded: the runs.
        found: their comparison by batch size.
        name: how the names of the pictures begin.

    Returns:
        The pictures, and why others are not drawn.
    """
    made, missing = [], []
    with style.drawing_context():
        for kind, draw in KINDS.items():
            try:
                made.append(draw(loaded, found, f"{name}-{kind.replace('_', '-')}"))
            except SpecError as error:
                missing.append(error.faults[0].message)
    return made, missing


def _to_target(loaded: Loaded, found: Comparison, name: str) -> ReportFigure:
    points = to_target(loaded, found)
    return _by_size(points, name, "a dot is a run at its best learning rate, the line the median")


def _throughput(loaded: Loaded, found: Comparison, name: str) -> ReportFigure:
    return _by_size(throughput(loaded), name, "every run is a dot")


def _memory(loaded: Loaded, found: Comparison, name: str) -> ReportFigure:
    return _by_size(memory(loaded), name, "every run is a dot")


def _by_size(found: Panels, name: str, note: str) -> ReportFigure:
    def panel(number: int, each: Panel) -> PanelFigure:
        return _drawn(
            f"{name}-{number}",
            lambda axes: draw_panel(axes, each, found.sizes),
            hover.of_panel(each),
            _medians(each),
        )

    panels = tuple(panel(number, each) for number, each in enumerate(found.panels))
    return ReportFigure(name, found.title, "; ".join([note, *found.notes]), (View("", panels),))


def _medians(panel: Panel) -> str:
    told = [
        f"{size:,}: {style.tick_label(value)}" for size, value in zip(*panel.medians, strict=True)
    ]
    missed = f"; {len(panel.missed)} runs did not reach the target" if panel.missed else ""
    return f"{panel.measure} by batch size, medians: {', '.join(told) or 'none'}{missed}"


def _curves(loaded: Loaded, found: Comparison, name: str) -> ReportFigure:
    views, note = [], "the runs at the best learning rate of each batch size"
    for cost in style.COSTS:
        drawn = curves(loaded, found, cost)
        panels = (_curve(drawn, cost, part, name) for part in ("training", "evaluated"))
        views.append(View(f"over {style.COSTS[cost]}", tuple(panels)))
    if drawn.left_out:
        note = f"{note}; {curves_left_out(drawn)}"
    return ReportFigure(name, f"Training and {drawn.metric}", note, tuple(views))


def _curve(found: Curves, cost: str, part: str, name: str) -> PanelFigure:
    what = "running mean in training" if part == "training" else "at fixed weights"
    sizes = sorted({each.batch_size for each in found.curves})
    return _drawn(
        f"{name}-{cost}-{part}",
        lambda axes: draw_curve_panel(axes, found, cost, part),
        hover.of_curves(found, part),
        f"{found.metric}, {what}, over {style.COSTS[cost]}: {len(found.curves)} runs at batch size "
        f"{', '.join(f'{size:,}' for size in sizes)}",
        legend="batch size",
    )


def _step_loss(loaded: Loaded, found: Comparison, name: str) -> ReportFigure:
    lines = step_losses(loaded)
    return _over_steps(lines, "The loss of every step", "loss of a step", name)


def _noise(loaded: Loaded, found: Comparison, name: str) -> ReportFigure:
    lines = noise(loaded, "steps")
    measure = "noise scale, examples (95 % interval)"
    return _over_steps(lines, "The noise of the gradient", measure, name)


def _over_steps(found: Lines, title: str, measure: str, name: str) -> ReportFigure:
    panel = _drawn(
        name,
        lambda axes: draw_line_panel(axes, found, "steps", measure),
        hover.of_lines(found),
        f"{measure} over the steps of {len(found.lines)} runs",
        legend="run",
    )
    note = lines_left_out(found) if found.left_out else ""
    return ReportFigure(name, title, note, (View("", (panel,)),))


def _contour(loaded: Loaded, found: Comparison, name: str) -> ReportFigure:
    objective, paths = trajectories(loaded)
    ways = _drawn(
        f"{name}-paths",
        lambda axes: draw_contours(axes, objective, paths),
        hover.of_paths(paths),
        f"the paths of {len(paths)} runs over the contours of J; dots: where they end",
        wide=True,
    )

    def over(cost: str) -> PanelFigure:
        return _drawn(
            f"{name}-{cost}",
            lambda axes: draw_cost(axes, cost, objective, paths),
            hover.of_costs(paths, cost, objective),
            f"J, less its minimum, over {style.COSTS[cost]}",
        )

    costs = map(over, style.COSTS)
    title = "Paths of gradient descent over the contours of J"
    return ReportFigure(name, title, "", (View("", (ways, *costs)),))


KINDS: dict[str, Callable[[Loaded, Comparison, str], ReportFigure]] = {
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
    lines: Sequence[HoverPoints],
    alternative: str,
    legend: str = "",
    *,
    wide: bool = False,
) -> PanelFigure:
    larger = 1.5 if wide else 1.0
    figure, (axes,) = style.new_figure(1, width=larger * WIDTH, height=larger * HEIGHT)
    draw(axes)
    axes.set_title("")  # the page has one
    if legend:
        style.add_legend(figure, axes, legend, below=True)
    return PanelFigure(
        figure_svg(figure, name, alternative), hover_data(figure, lines), alternative, wide
    )
