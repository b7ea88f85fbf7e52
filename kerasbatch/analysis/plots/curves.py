"""Training and validation over steps, examples or seconds, as points: a line for each run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.analysis.comparison.compare import Comparison
from kerasbatch.analysis.loading.load import Loaded, run_names
from kerasbatch.analysis.plots import style
from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LINES = 120
"""Runs that are drawn at the most."""


@dataclass(frozen=True)
class Curve:
    """One run.

    Args:
        batch_size: its batch size.
        run: its name.
        label: what tells it from the others.
        x: what it took to each evaluation, shape (evaluations,).
        training: the running mean while the weights moved, nan for the untrained model.
        evaluated: the same metric at fixed weights.
    """

    batch_size: int
    run: str
    label: str
    x: Array
    training: Array
    evaluated: Array


@dataclass(frozen=True)
class Curves:
    """The runs of a picture.

    Args:
        metric: the column at fixed weights, such as val_accuracy.
        curves: the runs, by batch size.
        left_out: how many runs are not drawn, since there are too many.
        target: the value to reach, or None.
    """

    metric: str
    curves: tuple[Curve, ...]
    left_out: int
    target: float | None


def curves(loaded: Loaded, found: Comparison, cost: str) -> Curves:
    """Return the curves of the runs at the best learning rate of each batch size.

    Args:
        loaded: the runs.
        found: their comparison by batch size; the metric of its target is drawn, or that by which
            it judged.
        cost: `steps`, `examples` or `seconds`.

    Raises:
        SpecError: if nothing was evaluated.
    """
    target, metric = found.question.target, found.question.judged
    metric = target.metric if target else metric
    if metric is None or metric not in loaded.history:
        raise SpecError([Fault(("curves",), "no run has an evaluation to draw")])
    chosen = found.chosen.sort_values(["batch_size", "seed"], kind="stable")
    drawn = chosen.head(MAX_LINES)
    history, column = loaded.history, COST_COLUMNS[cost]
    named = history.assign(run=run_names(history)).groupby("run")
    made, plain = [], metric.partition("_")[2]
    for run, size in zip(drawn["run"], drawn["batch_size"], strict=True):
        if run in named.groups:
            rows = named.get_group(run)
            training = rows[plain] if plain in rows else np.full(len(rows), np.nan)
            parts = (
                np.asarray(part, dtype=float) for part in (rows[column], training, rows[metric])
            )
            made.append(Curve(int(size), run, loaded.labels[run], *parts))
    return Curves(metric, tuple(made), len(chosen) - len(drawn), target.value if target else None)


FEW_POINTS = 20
"""Evaluations up to which each is marked."""


def draw_curves(found: Curves, cost: str) -> "Figure":
    """Return a figure: training at the left, the same at fixed weights at the right."""
    made, (left, right) = style.new_figure(2, width=5.2)
    draw_curve_panel(left, found, cost, "training")
    draw_curve_panel(right, found, cost, "evaluated")
    style.add_legend(made, right, "batch size")
    if found.left_out:
        made.suptitle(curves_left_out(found), fontsize=9)
    return made


def draw_curve_panel(axes: "Axes", found: Curves, cost: str, part: str) -> None:
    """Draw one panel.

    Args:
        axes: where.
        found: the runs.
        cost: what the axis below tells.
        part: `training` or `evaluated`.
    """
    sizes = sorted({curve.batch_size for curve in found.curves})
    how = dict(zip(sizes, style.line_styles(len(sizes)), strict=True))
    named: set[int] = set()
    for curve in found.curves:
        label = None if curve.batch_size in named else f"{curve.batch_size:,}"
        named.add(curve.batch_size)
        look = how[curve.batch_size] | {"linewidth": 1.2, "alpha": 0.85, "label": label}
        look["marker"] = "." if len(curve.x) <= FEW_POINTS else ""
        axes.plot(curve.x, getattr(curve, part), **look)
    if found.target is not None and part == "evaluated":
        axes.axhline(found.target, color=style.GREY, linewidth=1, zorder=0, label="target")
    style.cost_axis(axes, cost, [float(curve.x.max()) for curve in found.curves if len(curve.x)])
    plain = f"{found.metric.partition('_')[2]}, running mean of an epoch"
    axes.set_ylabel(plain if part == "training" else f"{found.metric}, at fixed weights")


def curves_left_out(found: Curves) -> str:
    """Say how many runs are not drawn."""
    return f"{len(found.curves)} runs; {found.left_out} more are not drawn"
