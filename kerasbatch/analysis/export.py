"""Runs for TensorBoard and for MLflow, from their records."""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from kerasbatch.analysis.exported_runs import ExportedRun, exported
from kerasbatch.analysis.loaded import Loaded
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec import keras_names

Kind = Literal["tensorboard", "mlflow"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Args:
        runs: how many runs there are.
        new: how many of them had something that was not there yet.
    """

    runs: int
    new: int


def check(kind: str) -> None:
    """Complain of a place that there is not, or whose package is not installed.

    Raises:
        SpecError: with what to write, or to install.
    """
    if kind not in KINDS:
        message = f"{keras_names.show(kind)} is none{keras_names.nearest(kind, KINDS)}"
        raise SpecError([Fault(("--to",), f"{message}; there are {' and '.join(KINDS)}")])
    if importlib.util.find_spec(kind) is None:
        message = f"{kind} is not installed; pip install 'kerasbatch[{kind}]'"
        raise SpecError([Fault(("--to",), message)])


def export(
    loaded: Loaded,
    kind: str,
    to: str,
    watch: Callable[[Iterable[ExportedRun], int], Iterable[ExportedRun]] = lambda runs, _: runs,
) -> Exported:
    """Write runs where another tool looks for them; what is there is not written twice.

    Args:
        loaded: the runs.
        kind: `tensorboard` or `mlflow`.
        to: the log directory, or the tracking URI.
        watch: is given the runs and their number, and hands them on while it shows progress.

    Raises:
        SpecError: if there is no such kind, its package is not installed, or it refuses the place.
    """
    check(kind)
    write = _writer(kind, to)
    new = [write(run) for run in watch(exported(loaded), len(loaded.runs))]
    return Exported(len(new), sum(new))


def _writer(kind: str, to: str) -> Callable[[ExportedRun], bool]:
    if kind == "tensorboard":
        from kerasbatch.analysis import tensorboard_export

        return lambda run: tensorboard_export.write(run, Path(to))
    from kerasbatch.analysis.mlflow_export import Mlflow

    return Mlflow(to).write
