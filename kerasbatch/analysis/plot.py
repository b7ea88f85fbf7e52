"""Pictures of runs, by kind."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from kerasbatch.analysis import look, size_points, step_points
from kerasbatch.analysis.compare import compare
from kerasbatch.analysis.loaded import Loaded, load
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec import keras_names

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
    with look.drawing():
        return _drawn(loaded, kind, x, target, fit)


def _drawn(loaded: Loaded, kind: str, x: Cost | None, target: str | None, fit: bool) -> "Figure":
    if kind == "contour":
        from kerasbatch.analysis import contour_picture
        from kerasbatch.analysis.paths import objective_and_paths

        return contour_picture.draw(*objective_and_paths(loaded))
    if loaded.runs.empty:
        told = "; ".join(f"{place} {problem}" for place, problem in loaded.problems.items())
        raise SpecError([Fault((kind,), f"there are no runs to draw: {told}")])
    return _over_a_training(loaded, kind, x or "steps", target) or _by_size(
        loaded, kind, target, fit
    )


def _over_a_training(loaded: Loaded, kind: str, cost: Cost, target: str | None) -> "Figure | None":
    from kerasbatch.analysis import curve_picture, step_picture
    from kerasbatch.analysis.curve_points import curves

    if kind == "curves":
        return curve_picture.draw(curves(loaded, compare(loaded, target=target), cost), cost)
    if kind == "step_loss":
        return step_picture.draw(step_points.step_losses(loaded), "steps", "loss of a step")
    if kind == "noise":
        name = "noise scale, examples (95 % interval)"
        return step_picture.draw(step_points.noise(loaded, cost), cost, name)
    return None


def _by_size(loaded: Loaded, kind: str, target: str | None, fit: bool) -> "Figure":
    from kerasbatch.analysis import size_picture

    if kind == "to_target":
        found = compare(loaded, target=target, fit=fit)
        return size_picture.draw(size_points.to_target(loaded, found))
    points = {"throughput": size_points.throughput, "memory": size_points.memory}[kind]
    return size_picture.draw(points(loaded))


def _check(kind: str, x: str | None, target: str | None, fit: bool) -> None:
    if kind not in KINDS:
        message = f"{keras_names.show(kind)} is none{keras_names.nearest(kind, KINDS)}"
        raise SpecError([Fault(("--kind",), f"{message}; there are {', '.join(KINDS)}")])
    faults = []
    if x is not None and x not in get_args(Cost):
        legal = ", ".join(get_args(Cost))
        faults.append(Fault(("--x",), f"found {keras_names.show(x)}; must be one of {legal}"))
    given = {"--x": x is not None, "--fit": fit, "--target": target is not None}
    faults += [
        Fault((option,), f"goes with --kind {' or '.join(kinds)}")
        for option, kinds in OPTIONS.items()
        if given[option] and kind not in kinds
    ]
    if faults:
        raise SpecError(faults)
