"""Pictures of runs, by kind."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.loading.load import Loaded, load
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.by_batch_size import draw_panels, memory, throughput, to_target
from kerasbatch.analysis.plots.by_step import draw_lines, noise, step_losses
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import show_value, suggestion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["curves", "to_target", "throughput", "memory", "step_loss", "contour", "noise"]
KINDS: tuple[str, ...] = get_args(Kind)
Cost = Literal["steps", "examples", "seconds"]
OPTIONS = {"--x": ("curves", "noise"), "--fit": ("to_target",), "--target": ("curves", "to_target")}
"""The kinds that an option goes with."""


def plot(
    paths: str | Path | Iterable[str | Path] | Loaded,
    kind: Kind = "curves",
    *,
    x: Cost | None = None,
    target: str | None = None,
    fit: bool = False,
) -> "Figure":
    """Draw runs.

    Args:
        paths: results folders, experiments or runs; or what `load` returned.
        kind: `curves`: training and validation, at the best learning rate of each batch size;
            `to_target`: steps, examples and seconds to the target by batch size; `throughput` and
            `memory` by batch size; `step_loss`: the loss of every step; `noise`: the noise scale
            of the gradient; `contour`: the paths of gradient descent on a line, over the contours
            of J.
        x: what curves and noise are drawn against; steps by default.
        target: what to reach, like `val_accuracy>=0.97`; by default the one that runs recorded.
        fit: also draw the curve S = S_min (1 + B_crit / b) with its band, for `to_target`.

    Returns:
        A figure of matplotlib's.

    Raises:
        SpecError: if there is no such kind, an option does not go with it, or the runs have
            nothing of it.
    """
    _check(kind, x, target, fit)
    loaded = paths if isinstance(paths, Loaded) else load(paths)
    with style.drawing_context():
        return _drawn(loaded, kind, x, target, fit)


def _drawn(loaded: Loaded, kind: str, x: Cost | None, target: str | None, fit: bool) -> "Figure":
    if kind == "contour":
        from kerasbatch.analysis.plots.contour import draw_contour
        from kerasbatch.analysis.plots.trajectory import trajectories

        return draw_contour(*trajectories(loaded))
    if loaded.runs.empty:
        told = "; ".join(f"{place} {problem}" for place, problem in loaded.problems.items())
        raise SpecError([Fault((kind,), f"there are no runs to draw: {told}")])
    return _over_a_training(loaded, kind, x or "steps", target) or _by_size(
        loaded, kind, target, fit
    )


def _over_a_training(loaded: Loaded, kind: str, cost: Cost, target: str | None) -> "Figure | None":
    from kerasbatch.analysis.plots.curves import curves, draw_curves

    if kind == "curves":
        return draw_curves(curves(loaded, compare(loaded, target=target), cost), cost)
    if kind == "step_loss":
        return draw_lines(step_losses(loaded), "steps", "loss of a step")
    if kind == "noise":
        name = "noise scale, examples (95 % interval)"
        return draw_lines(noise(loaded, cost), cost, name)
    return None


def _by_size(loaded: Loaded, kind: str, target: str | None, fit: bool) -> "Figure":

    if kind == "to_target":
        found = compare(loaded, target=target, fit=fit)
        return draw_panels(to_target(loaded, found))
    points = {"throughput": throughput, "memory": memory}[kind]
    return draw_panels(points(loaded))


def _check(kind: str, x: str | None, target: str | None, fit: bool) -> None:
    if kind not in KINDS:
        message = f"{show_value(kind)} is none{suggestion(kind, KINDS)}"
        raise SpecError([Fault(("--kind",), f"{message}; there are {', '.join(KINDS)}")])
    faults = []
    if x is not None and x not in get_args(Cost):
        legal = ", ".join(get_args(Cost))
        faults.append(Fault(("--x",), f"found {show_value(x)}; must be one of {legal}"))
    given = {"--x": x is not None, "--fit": fit, "--target": target is not None}
    faults += [
        Fault((option,), f"goes with --kind {' or '.join(kinds)}")
        for option, kinds in OPTIONS.items()
        if given[option] and kind not in kinds
    ]
    if faults:
        raise SpecError(faults)
