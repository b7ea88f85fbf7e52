"""What batch sizes cost, as points: steps, examples and seconds to a target, speed, memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.compare import Comparison
from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit
from kerasbatch.analysis.loading.load import Loaded, run_names
from kerasbatch.analysis.plots import style
from kerasbatch.columns import COST_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVE_POINTS = 100


@dataclass(frozen=True)
class Band:
    """The fitted curve of steps to a target.

    Args:
        sizes: batch sizes, shape (CURVE_POINTS,).
        steps: the curve.
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
        measure: what is measured, with its unit, as the axis says it.
        sizes: the batch size of every run that has a value.
        values: the values, the same shape.
        runs: what tells each of them from the others, the same length.
        missed: the batch size of every run that did not reach the target.
        spent: what each of those had spent at its end.
        missed_runs: what tells each of those from the others.
        perfect: the line of perfect scaling: two batch sizes and two values; or None.
        band: the fitted curve, or None.
        from_zero: whether the axis begins at 0, and is not logarithmic.
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
    """The panels of a picture, and what stands above and below them."""

    title: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def sizes(self) -> list[int]:
        """Every batch size in sight."""
        return sorted({size for each in self.panels for size in (*each.sizes, *each.missed)})


def to_target(loaded: Loaded, found: Comparison) -> Panels:
    """Return what each run took to the target, at the best learning rate of its batch size.

    Args:
        loaded: the runs.
        found: their comparison by batch size.

    Raises:
        SpecError: if there is no target.
    """
    if found.question.target is None:
        table = loaded.runs
        recorded = table["target"].dropna().unique() if "target" in table else ()
        several = f"there are several targets ({', '.join(recorded)})" if len(recorded) else ""
        message = f'{several or "there is no target"}; say --target "METRIC>=VALUE"'
        raise SpecError([Fault(("to_target",), message)])
    panels = tuple(_cost_panel(found, name, loaded.labels) for name in COST_COLUMNS)
    notes = [f"no fit: {found.fit.reason}"] if isinstance(found.fit, NoFit) else []
    return Panels(f"What it took to {found.question.target}", panels, tuple(notes))


def _cost_panel(found: Comparison, name: str, labels: Mapping[str, str]) -> Panel:
    chosen, column = found.chosen, f"{name}_to_target"
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
    band = _band(found.fit, reached) if isinstance(found.fit, Fit) else None
    return replace(panel, perfect=_perfect(panel), band=band)


def _perfect(panel: Panel) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return the line on which twice the batch takes half the steps, from the smallest size on."""
    sizes, medians = panel.medians
    if len(sizes) < 2:
        return None
    first, last = sizes[0], max(sizes)
    return (float(first), float(last)), (medians[0], medians[0] * first / last)


def _band(fit: Fit, reached: pd.DataFrame) -> Band:
    """Return the curve, and its edges: each end of B_crit's interval with the S_min that fits."""
    b = reached["batch_size"].to_numpy(dtype=float)
    logs = np.log(reached["steps_to_target"].to_numpy(dtype=float))
    sizes = np.geomspace(b.min(), b.max(), CURVE_POINTS)

    def through(crit: float) -> Array:
        s_min = np.exp(np.mean(logs - np.log1p(crit / b)))
        edge: Array = s_min * (1 + crit / sizes)
        return edge

    curve = fit.s_min * (1 + fit.b_crit / sizes)
    edges = np.stack([through(fit.low), through(fit.high), curve])
    range_of_crit = f"95 %: {fit.low:,.0f} to {fit.high:,.0f}"
    label = f"S = {fit.s_min:,.0f} (1 + {fit.b_crit:,.0f} / b); {range_of_crit}"
    return Band(sizes, curve, edges.min(axis=0), edges.max(axis=0), label)


_SPEED = {
    "examples_per_second": "examples per second",
    "steps_per_second": "steps per second",
}
_MEMORY = {"peak_memory_mb": "peak memory of the process, MB"}


def throughput(loaded: Loaded) -> Panels:
    """Return examples and steps per second of every run, by batch size."""
    return _measured(loaded, "throughput", "Speed by batch size", _SPEED)


def memory(loaded: Loaded) -> Panels:
    """Return the peak memory of every run, by batch size."""
    return _measured(loaded, "memory", "Memory by batch size", _MEMORY)


def _measured(loaded: Loaded, kind: str, title: str, columns: dict[str, str]) -> Panels:
    runs, panels = loaded.runs, []
    for column, measure in columns.items():
        known = runs[runs[column].notna()]
        if len(known):
            names = run_names(known).map(loaded.labels)
            points = tuple(map(int, known["batch_size"])), tuple(map(float, known[column]))
            panels.append(Panel(measure, *points, tuple(names), from_zero=kind == "memory"))
    if not panels:
        raise SpecError([Fault((kind,), f"no run has measured {' or '.join(columns.values())}")])
    return Panels(title, tuple(panels), tuple(_engines(runs)))


def _engines(runs: pd.DataFrame) -> list[str]:
    engines = sorted(runs["engine"].dropna().unique())
    return [f"engines: {', '.join(engines)}"] if len(engines) > 1 else []


def draw_panels(found: Panels) -> "Figure":
    """Return a figure of one panel for each measure, on logarithmic axes."""
    width = 4.6 if len(found.panels) > 1 else 6.0
    made, every = style.new_figure(len(found.panels), width=width)
    for axes, panel in zip(every, found.panels, strict=True):
        draw_panel(axes, panel, found.sizes)
    made.suptitle("\n".join([found.title, *found.notes]), fontsize=10)
    return made


def draw_panel(axes: "Axes", panel: Panel, sizes: Sequence[int]) -> None:
    """Draw one measure.

    Args:
        axes: where.
        panel: the measure.
        sizes: the batch sizes that the axis shows.
    """
    _points(axes, panel)
    style.batch_size_axis(axes, sizes)
    if panel.from_zero:
        axes.set_ylim(0, 1.1 * max(panel.values))
        style.full_numbers(axes.yaxis)
    else:
        style.log_numbers(axes)
    axes.set_ylabel(panel.measure)
    if panel.perfect or panel.missed or panel.band:
        axes.legend(fontsize=8)


def _points(axes: "Axes", panel: Panel) -> None:
    if panel.band is not None:
        band = panel.band
        axes.fill_between(band.sizes, band.low, band.high, color="#E69F00", alpha=0.3, linewidth=0)
        axes.plot(band.sizes, band.steps, color="#D55E00", linewidth=1.4, label=band.label)
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
            label="not reached, at its end",
            zorder=3,
        )
