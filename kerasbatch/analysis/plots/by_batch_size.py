"""Shared parts of plots by batch size: panels of points, their drawing, their content."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.hover import dot_points
from kerasbatch.analysis.plots.kind import PlotContent, PlotPanel, PlotView
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LOG_MARGIN = 1.4
"""The margin of a logarithmic axis, as a factor."""


@dataclass(frozen=True)
class Band:
    """The fitted curve of steps to a target.

    Args:
        sizes: batch sizes, shape (points,).
        steps: the curve, the same shape.
        low: the lower edge over the 95 % interval of the critical batch size.
        high: the upper edge.
        label: the fit in words.
    """

    sizes: Array
    steps: Array
    low: Array
    high: Array
    label: str


@dataclass(frozen=True)
class Panel:
    """One measure against the batch size.

    Args:
        measure: the label of the axis, with its unit.
        sizes: the batch size of every run that has a value.
        values: the values, the same shape.
        runs: the labels of those runs, the same length.
        missed: the batch size of every run that did not reach the target.
        spent: their cost at their end, the same length.
        missed_runs: their labels, the same length.
        perfect: the line of perfect scaling: two batch sizes and two values; or None.
        band: the fitted curve, or None.
        from_zero: whether the axis begins at 0 and is linear.
    """

    measure: str
    sizes: tuple[int, ...]
    values: tuple[float, ...]
    runs: tuple[str, ...]
    missed: tuple[int, ...] = ()
    spent: tuple[float, ...] = ()
    missed_runs: tuple[str, ...] = ()
    perfect: tuple[tuple[float, float], tuple[float, float]] | None = None
    band: Band | None = None
    from_zero: bool = False

    @property
    def medians(self) -> tuple[list[int], list[float]]:
        """The batch sizes, ascending, and the median value of each."""
        table = pd.DataFrame({"size": self.sizes, "value": self.values})
        median = table.groupby("size")["value"].median()
        return [int(size) for size in median.index], median.tolist()


@dataclass(frozen=True)
class Panels:
    """The panels of a plot, with its title and notes."""

    title: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def sizes(self) -> list[int]:
        """All batch sizes of all panels."""
        return sorted({size for panel in self.panels for size in (*panel.sizes, *panel.missed)})


def measured_panels(
    loaded: Loaded, kind: str, title: str, columns: dict[str, str], *, from_zero: bool = False
) -> Panels:
    """Return a panel for each measured column of the table of runs.

    Args:
        loaded: the runs.
        kind: the kind of the plot, for errors.
        title: its title.
        columns: the columns, with the labels of their axes.
        from_zero: whether the axes begin at 0.

    Raises:
        SpecError: if no run has measured a column.
    """
    runs, panels = loaded.runs, []
    for column, measure in columns.items():
        measured = runs[runs[column].notna()]
        if len(measured):
            labels = run_keys(measured).map(loaded.labels)
            points = tuple(map(int, measured["batch_size"])), tuple(map(float, measured[column]))
            panels.append(Panel(measure, *points, tuple(labels), from_zero=from_zero))
    if not panels:
        raise SpecError([Fault((kind,), f"no run has measured {' or '.join(columns.values())}")])
    return Panels(title, tuple(panels), tuple(_engines(runs)))


def _engines(runs: pd.DataFrame) -> list[str]:
    engines = sorted(runs["engine"].dropna().unique())
    return [f"engines: {', '.join(engines)}"] if len(engines) > 1 else []


def draw_panels(panels: Panels) -> "Figure":
    """Return a figure of one panel for each measure, on logarithmic axes."""
    width = 4.6 if len(panels.panels) > 1 else 6.0
    figure, axes_of_panels = style.new_figure(len(panels.panels), width=width)
    for axes, panel in zip(axes_of_panels, panels.panels, strict=True):
        draw_panel(axes, panel, panels.sizes)
    figure.suptitle("\n".join([panels.title, *panels.notes]))
    return figure


def draw_panel(axes: "Axes", panel: Panel, sizes: Sequence[int]) -> None:
    """Draw one measure.

    Args:
        axes: the axes.
        panel: the measure.
        sizes: the batch sizes on the axis.
    """
    _points(axes, panel)
    style.batch_size_axis(axes, sizes)
    if panel.from_zero:
        axes.set_ylim(0, 1.1 * max(panel.values))
        style.full_numbers(axes.yaxis)
    else:
        _limit_to_runs(axes, panel)
        style.log_numbers(axes)
    axes.set_ylabel(panel.measure)
    if panel.perfect or panel.missed or panel.band:
        axes.legend()


def _limit_to_runs(axes: "Axes", panel: Panel) -> None:
    """Limit the axis of the values to the runs: a line of perfect scaling may lead far below."""
    values = [value for value in (*panel.values, *panel.spent) if value > 0]
    if values:
        axes.set_ylim(min(values) / LOG_MARGIN, max(values) * LOG_MARGIN)


def _points(axes: "Axes", panel: Panel) -> None:
    if panel.band is not None:
        band = panel.band
        axes.fill_between(band.sizes, band.low, band.high, color="#E69F00", alpha=0.3, linewidth=0)
        axes.plot(band.sizes, band.steps, color=style.COLOURS[1], linewidth=1.4, label=band.label)
    if panel.perfect is not None:
        axes.plot(*panel.perfect, color=style.GREY, linestyle=":", label="perfect scaling")
    if panel.sizes:
        axes.plot(*panel.medians, color=style.DOT, linewidth=1.2, zorder=2)
        axes.plot(panel.sizes, panel.values, "o", color=style.DOT, markersize=4, alpha=0.7)
    if panel.missed:
        axes.scatter(
            panel.missed,
            panel.spent,
            s=36,
            marker="^",
            facecolors="none",
            edgecolors="#000000",
            label="target not reached (end of run)",
            zorder=3,
        )


def panels_content(panels: Panels, note: str) -> PlotContent[PlotPanel]:
    """Return the content of a plot by batch size for the report."""

    def panel_content(number: int, panel: Panel) -> PlotPanel:
        missed = [f"{run}: not reached" for run in panel.missed_runs]
        return PlotPanel(
            draw=lambda axes: draw_panel(axes, panel, panels.sizes),
            hover=dot_points(panel.runs, panel.sizes, panel.values)
            + dot_points(missed, panel.missed, panel.spent),
            alternative=_medians(panel),
            name=str(number),
        )

    contents = tuple(panel_content(number, panel) for number, panel in enumerate(panels.panels))
    return PlotContent(panels.title, "; ".join([note, *panels.notes]), (PlotView("", contents),))


def _medians(panel: Panel) -> str:
    """Return the medians of a panel in words."""
    medians = [
        f"{size:,}: {style.tick_label(value)}" for size, value in zip(*panel.medians, strict=True)
    ]
    missed = f"; {len(panel.missed)} runs did not reach the target" if panel.missed else ""
    return f"{panel.measure} by batch size, medians: {', '.join(medians) or 'none'}{missed}"
