"""The figures of a report: one SVG per panel, so that a narrow screen can stack the panels."""

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
"""The size of a panel in inches; small enough that text stays readable on a phone."""


@dataclass(frozen=True)
class PanelFigure:
    """One panel.

    Args:
        svg: the panel, as an `svg` element.
        hover: the data of the tooltips, as `hover_data` returns it.
        alternative: a description of the panel for screen readers.
        wide: whether the panel takes a full row.
    """

    svg: str
    hover: dict[str, Any]
    alternative: str
    wide: bool = False


@dataclass(frozen=True)
class View:
    """Panels that are shown together.

    Args:
        label: the label of the radio button that selects the view; empty for a single view.
        panels: the panels, in their order on the page.
    """

    label: str
    panels: tuple[PanelFigure, ...]


@dataclass(frozen=True)
class ReportFigure:
    """One figure of the report.

    Args:
        name: an identifier of letters, digits and dashes.
        title: its title.
        note: a remark below the title, or empty.
        views: one view, or several to choose from.
    """

    name: str
    title: str
    note: str
    views: tuple[View, ...]


def report_figures(
    loaded: Loaded, comparison: Comparison, name: str
) -> tuple[list[ReportFigure], list[str]]:
    """Draw every figure that the runs have data for.

    Args:
        loaded: the runs.
        comparison: their comparison by batch size.
        name: the prefix of the names of the figures.

    Returns:
        The figures, and the reasons why others are not drawn.
    """
    figures, missing = [], []
    with style.drawing_context():
        for kind, draw in KINDS.items():
            try:
                figures.append(draw(loaded, comparison, f"{name}-{kind.replace('_', '-')}"))
            except SpecError as error:
                missing.append(error.faults[0].message)
    return figures, missing


def _to_target(loaded: Loaded, comparison: Comparison, name: str) -> ReportFigure:
    panels = to_target(loaded, comparison)
    return _size_figure(
        panels, name, "a dot is a run at its best learning rate, the line the median"
    )


def _throughput(loaded: Loaded, comparison: Comparison, name: str) -> ReportFigure:
    return _size_figure(throughput(loaded), name, "every run is a dot")


def _memory(loaded: Loaded, comparison: Comparison, name: str) -> ReportFigure:
    return _size_figure(memory(loaded), name, "every run is a dot")


def _size_figure(panels: Panels, name: str, note: str) -> ReportFigure:
    def panel_figure(number: int, panel: Panel) -> PanelFigure:
        return _panel_figure(
            f"{name}-{number}",
            lambda axes: draw_panel(axes, panel, panels.sizes),
            hover.of_panel(panel),
            _describe_medians(panel),
        )

    figures = tuple(panel_figure(number, panel) for number, panel in enumerate(panels.panels))
    return ReportFigure(name, panels.title, "; ".join([note, *panels.notes]), (View("", figures),))


def _describe_medians(panel: Panel) -> str:
    medians = [
        f"{size:,}: {style.tick_label(value)}" for size, value in zip(*panel.medians, strict=True)
    ]
    missed = f"; {len(panel.missed)} runs did not reach the target" if panel.missed else ""
    return f"{panel.measure} by batch size, medians: {', '.join(medians) or 'none'}{missed}"


def _curves(loaded: Loaded, comparison: Comparison, name: str) -> ReportFigure:
    views, note = [], "the runs at the best learning rate of each batch size"
    for cost in style.COSTS:
        drawn = curves(loaded, comparison, cost)
        panels = (_curve_panel(drawn, cost, part, name) for part in ("training", "evaluated"))
        views.append(View(f"over {style.COSTS[cost]}", tuple(panels)))
    if drawn.left_out:
        note = f"{note}; {curves_left_out(drawn)}"
    return ReportFigure(name, f"Training and {drawn.metric}", note, tuple(views))


def _curve_panel(drawn: Curves, cost: str, part: str, name: str) -> PanelFigure:
    measure = "running mean in training" if part == "training" else "at fixed weights"
    sizes = sorted({curve.batch_size for curve in drawn.curves})
    return _panel_figure(
        f"{name}-{cost}-{part}",
        lambda axes: draw_curve_panel(axes, drawn, cost, part),
        hover.of_curves(drawn, part),
        f"{drawn.metric}, {measure}, over {style.COSTS[cost]}: {len(drawn.curves)} runs at "
        f"batch size {', '.join(f'{size:,}' for size in sizes)}",
        legend="batch size",
    )


def _step_loss(loaded: Loaded, comparison: Comparison, name: str) -> ReportFigure:
    lines = step_losses(loaded)
    return _step_figure(lines, "The loss of every step", "loss of a step", name)


def _noise(loaded: Loaded, comparison: Comparison, name: str) -> ReportFigure:
    lines = noise(loaded, "steps")
    measure = "noise scale, examples (95 % interval)"
    return _step_figure(lines, "The noise of the gradient", measure, name)


def _step_figure(lines: Lines, title: str, measure: str, name: str) -> ReportFigure:
    panel = _panel_figure(
        name,
        lambda axes: draw_line_panel(axes, lines, "steps", measure),
        hover.of_lines(lines),
        f"{measure} over the steps of {len(lines.lines)} runs",
        legend="run",
    )
    note = lines_left_out(lines) if lines.left_out else ""
    return ReportFigure(name, title, note, (View("", (panel,)),))


def _contour(loaded: Loaded, comparison: Comparison, name: str) -> ReportFigure:
    objective, paths = trajectories(loaded)
    contours = _panel_figure(
        f"{name}-paths",
        lambda axes: draw_contours(axes, objective, paths),
        hover.of_paths(paths),
        f"the paths of {len(paths)} runs over the contours of J; dots: where they end",
        wide=True,
    )

    def cost_panel(cost: str) -> PanelFigure:
        return _panel_figure(
            f"{name}-{cost}",
            lambda axes: draw_cost(axes, cost, objective, paths),
            hover.of_costs(paths, cost, objective),
            f"J, less its minimum, over {style.COSTS[cost]}",
        )

    costs = map(cost_panel, style.COSTS)
    title = "Paths of gradient descent over the contours of J"
    return ReportFigure(name, title, "", (View("", (contours, *costs)),))


KINDS: dict[str, Callable[[Loaded, Comparison, str], ReportFigure]] = {
    "to_target": _to_target,
    "curves": _curves,
    "contour": _contour,
    "throughput": _throughput,
    "memory": _memory,
    "step_loss": _step_loss,
    "noise": _noise,
}


def _panel_figure(
    name: str,
    draw: Callable[["Axes"], None],
    lines: Sequence[HoverPoints],
    alternative: str,
    legend: str = "",
    *,
    wide: bool = False,
) -> PanelFigure:
    scale = 1.5 if wide else 1.0
    figure, (axes,) = style.new_figure(1, width=scale * WIDTH, height=scale * HEIGHT)
    draw(axes)
    axes.set_title("")  # the caption on the page has it
    if legend:
        style.add_legend(figure, axes, legend, below=True)
    return PanelFigure(
        figure_svg(figure, name, alternative), hover_data(figure, lines), alternative, wide
    )
