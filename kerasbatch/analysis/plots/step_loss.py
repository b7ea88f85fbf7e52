"""The plot `step_loss`: the loss of every step."""

from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots.by_step import (
    Lines,
    Points,
    draw_lines,
    lines_content,
    lines_of_runs,
)
from kerasbatch.analysis.plots.kind import PlotKind
from kerasbatch.errors import Fault, SpecError

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 1500
"""Points of a line; more steps are drawn as means, with a band from minimum to maximum."""


def step_losses(loaded: Loaded) -> Lines:
    """Return the loss of every step of the runs that recorded it.

    Raises:
        SpecError: if no run has recorded it.
    """
    table = loaded.step_losses
    if table.empty:
        message = "no run has the loss of every step; write record: [steps] into the spec"
        raise SpecError([Fault(("step_loss",), message)])
    return lines_of_runs(loaded, table, lambda rows: _thinned(rows["step"], rows["loss"]))


def _thinned(steps: "pd.Series[float]", losses: "pd.Series[float]") -> Points:
    """Return at most MAX_POINTS points: means of equally many steps, with minimum and maximum."""
    x, y = steps.to_numpy(dtype=float), losses.to_numpy(dtype=float)
    no_band = np.full(len(x), np.nan)
    if len(x) <= MAX_POINTS:
        return x, y, no_band, no_band
    parts = np.array_split(np.arange(len(x)), MAX_POINTS)
    return (
        np.array([x[part[-1]] for part in parts]),
        np.array([y[part].mean() for part in parts]),
        np.array([y[part].min() for part in parts]),
        np.array([y[part].max() for part in parts]),
    )


KIND = PlotKind(
    figure=lambda request: draw_lines(step_losses(request.loaded), "steps", "loss of a step"),
    content=lambda request: lines_content(
        step_losses(request.loaded), "The loss of every step", "loss of a step"
    ),
)
