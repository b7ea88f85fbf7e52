"""The registry of plot kinds: `plot`, the report and `--help` read it.

A new kind is a module of this package, with a constant `KIND`, and a line here.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasbatch.analysis.plots.kind import PlotKind

KINDS = {
    "to_target": "steps, examples and seconds to the target, by batch size",
    "curves": "training and validation, at the best learning rate of each batch size",
    "rates": "steps to the target, or the judged metric, over the learning rate",
    "contour": "the paths of gradient descent on a line, over the contours of J",
    "throughput": "examples and steps per second, by batch size",
    "memory": "peak memory, by batch size",
    "step_loss": "the loss of every step",
    "noise": "the noise scale of the gradient",
}
"""Name and description of every kind, in the order of the report."""


def load_kind(name: str) -> "PlotKind":
    """Return a kind; its module, and matplotlib's helpers, are imported only now."""
    kind: PlotKind = import_module(f"kerasbatch.analysis.plots.{name}").KIND
    return kind
