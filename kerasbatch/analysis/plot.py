"""Pictures of runs, by kind."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from kerasbatch.analysis.loaded import Loaded, load
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec import keras_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["contour"]
KINDS: tuple[str, ...] = get_args(Kind)


def plot(paths: str | Path | Iterable[str | Path] | Loaded, kind: Kind = "contour") -> "Figure":
    """Draw runs.

    Args:
        paths: results folders, experiments or runs; or what `load` returned.
        kind: `contour`: the paths of gradient descent on a line, over the contours of J.

    Raises:
        SpecError: if there is no such kind, or the runs have nothing of it.
    """
    if kind not in KINDS:
        message = f"{keras_names.show(kind)} is none{keras_names.nearest(kind, KINDS)}"
        raise SpecError([Fault(("--kind",), f"{message}; there are {', '.join(KINDS)}")])
    loaded = paths if isinstance(paths, Loaded) else load(paths)
    from kerasbatch.analysis import contour_picture
    from kerasbatch.analysis.paths import objective_and_paths

    return contour_picture.draw(*objective_and_paths(loaded))
