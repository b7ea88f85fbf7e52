"""The figures of a report: each panel is an SVG of its own, so that a phone can stack them."""

from dataclasses import dataclass
from typing import Any

from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.kind import PlotContent, PlotPanel, PlotRequest, PlotView
from kerasbatch.analysis.plots.registry import KINDS, load_kind
from kerasbatch.analysis.report.svg import figure_svg, hover_data
from kerasbatch.errors import SpecError

WIDTH, HEIGHT = 4.6, 3.7
"""The size of a panel in inches; texts keep their size on a phone."""


@dataclass(frozen=True)
class PanelFigure:
    """One panel.

    Args:
        svg: the panel, as an `svg` element.
        hover: the values under the pointer.
        alternative: the content in words.
        wide: whether it needs the width of several panels.
    """

    svg: str
    hover: dict[str, Any]
    alternative: str
    wide: bool = False


@dataclass(frozen=True)
class ReportFigure(PlotContent[PanelFigure]):
    """A plot whose panels are drawn.

    Args:
        name: letters, digits and dashes.
    """

    name: str


def report_figures(
    loaded: Loaded, comparison: Comparison, name: str
) -> tuple[list[ReportFigure], list[str]]:
    """Draw every kind of plot for which the runs have data.

    Args:
        loaded: the runs.
        comparison: their comparison by batch size.
        name: the prefix of the names of figures.

    Returns:
        The figures, and the reasons why others are missing.
    """
    figures, missing = [], []
    request = PlotRequest(loaded, comparison=comparison)
    with style.drawing_context():
        for kind in KINDS:
            try:
                figures.append(_figure(kind, request, f"{name}-{kind.replace('_', '-')}"))
            except SpecError as error:
                missing.append(error.faults[0].message)
    return figures, missing


def _figure(kind: str, request: PlotRequest, name: str) -> ReportFigure:
    content = load_kind(kind).content(request)
    views = tuple(
        PlotView(view.label, tuple(_panel(panel, name) for panel in view.panels))
        for view in content.views
    )
    return ReportFigure(content.title, content.note, views, name)


def _panel(panel: PlotPanel, name: str) -> PanelFigure:
    scale = 1.5 if panel.wide else 1.0
    figure, (axes,) = style.new_figure(1, width=scale * WIDTH, height=scale * HEIGHT)
    panel.draw(axes)
    axes.set_title("")  # the page has one
    if panel.legend:
        style.add_legend(figure, axes, panel.legend, below=True)
    svg = figure_svg(figure, "-".join(filter(None, [name, panel.name])), panel.alternative)
    return PanelFigure(svg, hover_data(figure, panel.hover), panel.alternative, panel.wide)
