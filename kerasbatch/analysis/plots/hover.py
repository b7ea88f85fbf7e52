"""The values that the report shows under the pointer.

They are the points that are drawn; a line with many points is thinned.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kerasbatch.types import Array

MAX_POINTS = 60
"""The largest number of points of a line."""


@dataclass(frozen=True)
class HoverPoints:
    """One line, or the dots of one run.

    Args:
        label: the label of the run.
        x: shape (points,), in the units of the axis.
        y: the same.
    """

    label: str
    x: Array
    y: Array


def line_points(label: str, x: Array, y: Array) -> HoverPoints:
    """Return the finite points of a line, thinned to MAX_POINTS."""
    indices = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(indices) > MAX_POINTS:
        indices = indices[np.linspace(0, len(indices) - 1, MAX_POINTS).round().astype(int)]
    return HoverPoints(label, x[indices], y[indices])


def dot_points(labels: Iterable[str], x: Iterable[float], y: Iterable[float]) -> list[HoverPoints]:
    """Return a dot for each run."""
    return [
        HoverPoints(label, np.array([float(one)]), np.array([other]))
        for label, one, other in zip(labels, x, y, strict=True)
    ]
