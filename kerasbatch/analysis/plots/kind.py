"""A kind of plot: its figure for `plot`, and its panels for the report."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots.hover import HoverPoints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Cost = Literal["steps", "examples", "seconds"]
Option = Literal["--x", "--fit", "--target"]


class PlotRequest:
    """The runs to draw, and the options.

    Args:
        loaded: the runs.
        cost: the cost on the x axis.
        target: the target, like `val_accuracy>=0.97`, or None for the recorded one.
        fit: whether to fit the curve of steps to the target.
        comparison: the comparison of the runs, if it exists already.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        cost: Cost = "steps",
        target: str | None = None,
        fit: bool = False,
        comparison: Comparison | None = None,
    ) -> None:
        self.loaded, self.cost = loaded, cost
        self._target, self._fit, self._comparison = target, fit, comparison

    @functools.cached_property
    def comparison(self) -> Comparison:
        """The comparison of the runs by batch size."""
        return self._comparison or compare(
            self.loaded, target=self._target, fit=self._fit, all_runs=True
        )


@dataclass(frozen=True)
class PlotPanel:
    """One panel of the report.

    Args:
        draw: draws the panel.
        hover: the values under the pointer.
        alternative: the content in words.
        name: its name within the plot; empty for a single panel.
        legend: the title of its legend, or empty for none.
        wide: whether it needs the width of several panels.
    """

    draw: Callable[["Axes"], None]
    hover: list[HoverPoints]
    alternative: str
    name: str = ""
    legend: str = ""
    wide: bool = False


P = TypeVar("P")


@dataclass(frozen=True)
class PlotView(Generic[P]):
    """Panels that are shown together: to be drawn, or drawn by the report.

    Args:
        label: the text of the choice between several views, or empty.
        panels: the panels.
    """

    label: str
    panels: tuple[P, ...]


@dataclass(frozen=True)
class PlotContent(Generic[P]):
    """A plot in the report.

    Args:
        title: its title.
        note: a note below it, or empty.
        views: one view, or several to choose from.
    """

    title: str
    note: str
    views: tuple[PlotView[P], ...]


@dataclass(frozen=True)
class PlotKind:
    """A kind of plot. Both functions raise SpecError if the runs lack its data.

    Args:
        figure: returns one figure with all panels.
        content: returns the panels for the report.
        options: the options of `plot` that go with it.
        needs_runs: whether it draws rows of the table of runs.
    """

    figure: Callable[[PlotRequest], "Figure"]
    content: Callable[[PlotRequest], PlotContent[PlotPanel]]
    options: tuple[Option, ...] = ()
    needs_runs: bool = True
