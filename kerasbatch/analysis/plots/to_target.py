"""The plot `to_target`: steps, examples and seconds to a target, by batch size."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit
from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.comparison.text.cells import interval_text
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots.by_batch_size import (
    Band,
    Panel,
    Panels,
    draw_panels,
    panels_content,
)
from kerasbatch.analysis.plots.kind import PlotContent, PlotKind, PlotPanel, PlotRequest
from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import Array

CURVE_POINTS = 100


def to_target_panels(loaded: Loaded, comparison: Comparison) -> Panels:
    """Return the cost of each run to the target, at the best learning rate of its batch size.

    Args:
        loaded: the runs.
        comparison: their comparison by batch size.

    Raises:
        SpecError: if there is no target.
    """
    if comparison.question.target is None:
        table = loaded.runs
        recorded = table["target"].dropna().unique() if "target" in table else ()
        several = f"there are several targets ({', '.join(recorded)})" if len(recorded) else ""
        message = f'{several or "there is no target"}; say --target "METRIC>=VALUE"'
        raise SpecError([Fault(("to_target",), message)])
    panels = tuple(_cost_panel(comparison, name, loaded.labels) for name in COST_COLUMNS)
    notes = [f"no fit: {comparison.fit.reason}"] if isinstance(comparison.fit, NoFit) else []
    return Panels(f"Cost of reaching {comparison.question.target}", panels, tuple(notes))


def _cost_panel(comparison: Comparison, name: str, labels: Mapping[str, str]) -> Panel:
    chosen, column = comparison.chosen, f"{name}_to_target"
    reached, missed = chosen[chosen["reached"]], chosen[~chosen["reached"]]
    spent = {"steps": "observed_steps", "examples": "examples", "seconds": "train_seconds"}[name]
    missed = missed[missed[spent].notna()]
    panel = Panel(
        f"{name} to the target",
        tuple(map(int, reached["batch_size"])),
        tuple(map(float, reached[column])),
        tuple(map(labels.__getitem__, reached["run"])),
        tuple(map(int, missed["batch_size"])),
        tuple(map(float, missed[spent])),
        tuple(map(labels.__getitem__, missed["run"])),
    )
    if name != "steps" or not panel.sizes:
        return panel
    band = _band(comparison.fit, reached) if isinstance(comparison.fit, Fit) else None
    return replace(panel, perfect=_perfect(panel), band=band)


def _perfect(panel: Panel) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return the line on which twice the batch size takes half the steps."""
    sizes, medians = panel.medians
    if len(sizes) < 2:
        return None
    first, last = sizes[0], max(sizes)
    return (float(first), float(last)), (medians[0], medians[0] * first / last)


def _band(fit: Fit, reached: pd.DataFrame) -> Band:
    """Return the fitted curve, with the edges of its band.

    An edge is the curve of one end of B_crit's interval, with the S_min that fits it best.
    """
    b = reached["batch_size"].to_numpy(dtype=float)
    logs = np.log(reached["steps_to_target"].to_numpy(dtype=float))
    sizes = np.geomspace(b.min(), b.max(), CURVE_POINTS)

    def through(crit: float) -> Array:
        s_min = np.exp(np.mean(logs - np.log1p(crit / b)))
        edge: Array = s_min * (1 + crit / sizes)
        return edge

    curve = fit.s_min * (1 + fit.b_crit / sizes)
    highest = min(fit.high, 2.0**40 * b.max())
    edges = np.stack([through(fit.low), through(highest), curve])
    label = f"S = {fit.s_min:,.0f} (1 + {fit.b_crit:,.0f} / b); B_crit, 95 %: {interval_text(fit)}"
    return Band(sizes, curve, edges.min(axis=0), edges.max(axis=0), label)


def _content(request: PlotRequest) -> PlotContent[PlotPanel]:
    panels = to_target_panels(request.loaded, request.comparison)
    return panels_content(panels, "a dot is a run at its best learning rate, the line the median")


KIND = PlotKind(
    figure=lambda request: draw_panels(to_target_panels(request.loaded, request.comparison)),
    content=_content,
    options=("--target", "--fit"),
)
