"""A panel of training curves, and the curves that it shows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.analysis.plots import style
from kerasbatch.spec import keras_registry
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN, LOG_MARGIN = 0.05, 1.2
"""The margins of an axis of values: a share of its span, and a factor."""
FEW_POINTS = 20
"""The largest number of evaluations that are marked."""


@dataclass(frozen=True)
class Curve:
    """One run.

    Args:
        batch_size: its batch size.
        run: its name.
        label: its label.
        x: the cost up to each evaluation, shape (evaluations,).
        training: the running mean in training, nan for the untrained model.
        evaluated: the same metric at fixed weights.
        unfinished: whether the run has not ended; its line is faint.
    """

    batch_size: int
    run: str
    label: str
    x: Array
    training: Array
    evaluated: Array
    unfinished: bool = False

    @property
    def visibility(self) -> dict[str, Any]:
        """The part of a line's style that shows an unfinished run faintly, and single points."""
        return {
            "alpha": 0.4 if self.unfinished else 0.85,
            "marker": "." if len(self.x) <= FEW_POINTS else "",
        }


@dataclass(frozen=True)
class Curves:
    """The runs of a plot.

    Args:
        metric: the column at fixed weights, such as val_accuracy.
        curves: the runs, by batch size.
        left_out: the number of runs that are not drawn.
        target: the value to reach, or None.
    """

    metric: str
    curves: tuple[Curve, ...]
    left_out: int
    target: float | None


def sizes_of(drawn: Curves) -> list[int]:
    """Return the batch sizes of the curves, in ascending order."""
    return sorted({curve.batch_size for curve in drawn.curves})


def draw_curve_panel(axes: "Axes", drawn: Curves, cost: str, part: str) -> None:
    """Draw one panel.

    Args:
        axes: the axes.
        drawn: the runs.
        cost: the cost on the x axis.
        part: `training` or `evaluated`.
    """
    sizes = sizes_of(drawn)
    styles = dict(zip(sizes, style.line_styles(len(sizes)), strict=True))
    labelled: set[int] = set()
    for curve in drawn.curves:
        label = None if curve.batch_size in labelled else f"{curve.batch_size:,}"
        labelled.add(curve.batch_size)
        line_style = styles[curve.batch_size] | {"linewidth": 1.2, "label": label}
        line_style |= curve.visibility
        axes.plot(curve.x, getattr(curve, part), **line_style)
    if drawn.target is not None and part == "evaluated":
        axes.axhline(drawn.target, color=style.GREY, linewidth=1, zorder=0, label="target")
    style.cost_axis(axes, cost, [float(curve.x.max()) for curve in drawn.curves if len(curve.x)])
    value_axis(axes, drawn, part)
    plain = f"{drawn.metric.partition('_')[2]}, running mean of an epoch"
    axes.set_ylabel(plain if part == "training" else f"{drawn.metric}, at fixed weights")


def value_axis(axes: "Axes", drawn: Curves, part: str) -> None:
    """Scale the axis of the values to trained models: logarithmic for a loss over decades.

    The value of the untrained model may lie outside; it would flatten everything else.
    """
    values = [getattr(curve, part)[curve.x > 0] for curve in drawn.curves]
    trained = np.concatenate([np.array([], float), *values])
    trained = trained[np.isfinite(trained)]
    if not len(trained):
        return
    if part == "evaluated" and drawn.target is not None:
        trained = np.append(trained, drawn.target)
    low, high = float(trained.min()), float(trained.max())
    if keras_registry.lower_is_better(drawn.metric) and style.spans_decades(trained):
        axes.set_ylim(low / LOG_MARGIN, high * LOG_MARGIN)
        style.log_numbers(axes)
    elif high > low:
        margin = MARGIN * (high - low)
        axes.set_ylim(low - margin, high + margin)
