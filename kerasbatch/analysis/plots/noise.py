"""The plot `noise`: the noise scale of the gradient at every evaluation."""

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
from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError

if TYPE_CHECKING:
    import pandas as pd

MEASURE = "noise scale, examples (95 % interval)"


def noise_lines(loaded: Loaded, cost: str) -> Lines:
    """Return the noise scale at every evaluation of the runs that recorded it.

    Args:
        loaded: the runs.
        cost: `steps` or `examples`.

    Raises:
        SpecError: if no run has recorded it, or the cost is seconds.
    """
    table = loaded.noise
    if table.empty:
        message = "no run recorded gradient noise; write record: [noise] into the spec"
        raise SpecError([Fault(("noise",), message)])
    if COST_COLUMNS[cost] not in table:
        raise SpecError([Fault(("--x",), "noise is shown over steps or examples")])

    def points(rows: "pd.DataFrame") -> Points:
        x, scale, low, high = (
            rows[name].to_numpy(dtype=float)
            for name in (COST_COLUMNS[cost], "noise_scale", "low", "high")
        )
        finite = np.isfinite(low) & np.isfinite(high)
        return x, scale, np.where(finite, low, np.nan), np.where(finite, high, np.nan)

    return lines_of_runs(loaded, table, points)


KIND = PlotKind(
    figure=lambda request: draw_lines(
        noise_lines(request.loaded, request.cost), request.cost, MEASURE
    ),
    content=lambda request: lines_content(
        noise_lines(request.loaded, "steps"), "The noise of the gradient", MEASURE
    ),
    options=("--x",),
)
