"""What the lines and dots of a panel say under the pointer.

The same points that are drawn, thinned where a line has more than anybody could point at.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kerasbatch.analysis.plots.by_batch_size import Panel
from kerasbatch.analysis.plots.by_step import Lines
from kerasbatch.analysis.plots.curves import Curves
from kerasbatch.analysis.plots.trajectory import Objective, Trajectory
from kerasbatch.types import Array

MAX_POINTS = 60
"""Points of a line that can be read."""


@dataclass(frozen=True)
class HoverPoints:
    """One line, or the dots of one run.

    Args:
        label: what tells it from the others.
        x: shape (points,), in the units of the axis.
        y: the same.
    """

    label: str
    x: Array
    y: Array


def of_curves(found: Curves, part: str) -> list[HoverPoints]:
    """Return the readings of `training`, or of what was `evaluated`."""
    return [_line(each.label, each.x, getattr(each, part)) for each in found.curves]


def of_panel(panel: Panel) -> list[HoverPoints]:
    """Return the readings of a measure against the batch size: a dot for each run."""
    missed = [f"{run}: not reached" for run in panel.missed_runs]
    reached = _dots(panel.runs, panel.sizes, panel.values)
    return reached + _dots(missed, panel.missed, panel.spent)


def of_lines(found: Lines) -> list[HoverPoints]:
    """Return the readings of what changes over a training."""
    return [_line(each.label, each.x, each.y) for each in found.lines]


def of_paths(paths: Iterable[Trajectory]) -> list[HoverPoints]:
    """Return the readings of paths over contours."""
    return [_line(path.label, *path.theta.T) for path in paths]


def of_costs(paths: Iterable[Trajectory], cost: str, objective: Objective) -> list[HoverPoints]:
    """Return the readings of J, less its minimum, against steps, examples or seconds."""
    return [
        _line(path.label, getattr(path, cost), path.objective - objective.minimum) for path in paths
    ]


def _line(label: str, x: Array, y: Array) -> HoverPoints:
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(known) > MAX_POINTS:
        known = known[np.linspace(0, len(known) - 1, MAX_POINTS).round().astype(int)]
    return HoverPoints(label, x[known], y[known])


def _dots(runs: Iterable[str], sizes: Iterable[int], values: Iterable[float]) -> list[HoverPoints]:
    return [
        HoverPoints(run, np.array([float(size)]), np.array([value]))
        for run, size, value in zip(runs, sizes, values, strict=True)
    ]
