"""Draws runs: one function for every kind of plot."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from kerasbatch.analysis.comparison.stale_runs import no_runs_reason
from kerasbatch.analysis.loading.load import Loaded, load
from kerasbatch.analysis.plots import style
from kerasbatch.analysis.plots.kind import Cost, Option, PlotRequest
from kerasbatch.analysis.plots.language import language_faults, translate
from kerasbatch.analysis.plots.registry import KINDS, load_kind
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import show_value, suggestion
from kerasbatch.types import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(
    paths: str | Path | Iterable[str | Path] | Loaded,
    kind: str = "curves",
    *,
    x: Cost | None = None,
    target: str | None = None,
    fit: bool = False,
    all_runs: bool = False,
    language: Language = "en",
) -> "Figure":
    """Draw runs.

    Args:
        paths: results folders, experiments or runs; or the result of `load`.
        kind: `curves`: training and validation, at the best learning rate of each batch size;
            `to_target`: steps, examples and seconds to the target by batch size; `rates`: steps to
            the target, or the judged metric, over the learning rate; `throughput` and
            `memory` by batch size; `step_loss`: the loss of every step; `noise`: the noise scale
            of the gradient; `contour`: the paths of gradient descent on a line, over the contours
            of J.
        x: the x axis of curves and noise; steps by default.
        target: the target, like `val_accuracy>=0.97`; by default the one that runs recorded.
        fit: also draw the curve S = S_min (1 + B_crit / b) with its band, for `to_target`.
        all_runs: include stale runs: those that the experiment's spec, edited since, no longer
            asks for.
        language: the language of the texts: `en`, or `ko` where a Korean font is installed.

    Returns:
        A figure of matplotlib.

    Raises:
        SpecError: if the kind or the language does not exist, an option does not go with it, or
            the runs lack its data.
    """
    options: dict[Option, bool] = {
        "--x": x is not None,
        "--fit": fit,
        "--target": target is not None,
    }
    _check_kind(kind)
    _check_options(kind, x, language, [option for option, is_used in options.items() if is_used])
    every = paths if isinstance(paths, Loaded) else load(paths)
    loaded = every if all_runs else every.current()
    if load_kind(kind).needs_runs and loaded.runs.empty:
        raise SpecError([Fault((kind,), f"there are no runs to draw: {no_runs_reason(every)}")])
    with style.drawing_context():
        request = PlotRequest(loaded, cost=x or "steps", target=target, fit=fit)
        figure = load_kind(kind).figure(request)
        translate(figure, language)
        return figure


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        message = f"found {show_value(kind)}; must be one of {', '.join(KINDS)}"
        raise SpecError([Fault(("--kind",), f"{message}{suggestion(kind, KINDS)}")])


def _check_options(kind: str, x: str | None, language: str, used: Iterable[Option]) -> None:
    faults = language_faults(language)
    if x is not None and x not in get_args(Cost):
        legal = ", ".join(get_args(Cost))
        faults.append(Fault(("--x",), f"found {show_value(x)}; must be one of {legal}"))
    for option in used:
        if option not in load_kind(kind).options:
            kinds = " or ".join(name for name in KINDS if option in load_kind(name).options)
            faults.append(Fault((option,), f"goes with --kind {kinds}"))
    if faults:
        raise SpecError(faults)
