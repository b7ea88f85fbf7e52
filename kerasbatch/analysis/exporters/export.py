"""Runs for TensorBoard and for MLflow, from their records."""

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from kerasbatch.analysis.exporters.run_export import ExportedRun, exported_runs
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import counted, show_value, suggestion

Kind = Literal["tensorboard", "mlflow"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class ExportSummary:
    """What an export did.

    Args:
        runs: how many runs there are.
        new: how many of them had something that was not there yet.
    """

    runs: int
    new: int


def check_exporter(kind: str) -> None:
    """Complain of a place that there is not, or whose package is not installed.

    Raises:
        SpecError: with what to write, or to install.
    """
    if kind not in KINDS:
        message = f"{show_value(kind)} is none{suggestion(kind, KINDS)}"
        raise SpecError([Fault(("--to",), f"{message}; there are {' and '.join(KINDS)}")])
    if importlib.util.find_spec(kind) is None:
        message = f"{kind} is not installed; pip install 'kerasbatch[{kind}]', or in a clone"
        message += f" of the repository pip install -e '.[{kind}]'"
        raise SpecError([Fault(("--to",), message)])


def export(
    loaded: Loaded,
    kind: str,
    to: str,
    watch: Callable[[Iterable[ExportedRun], int], Iterable[ExportedRun]] = lambda runs, _: runs,
) -> ExportSummary:
    """Write runs where another tool looks for them; what is there is not written twice.

    Args:
        loaded: the runs.
        kind: `tensorboard` or `mlflow`.
        to: the log directory, or the tracking URI.
        watch: is given the runs and their number, and hands them on while it shows progress.

    Raises:
        SpecError: if there is no such kind, its package is not installed, or it refuses the place.
    """
    check_exporter(kind)
    _check_runs(loaded)
    write = _writer(kind, to)
    new = [write(run) for run in watch(exported_runs(loaded), len(loaded.runs))]
    return ExportSummary(len(new), sum(new))


def _check_runs(loaded: Loaded) -> None:
    """Complain where there are none, or two would stand in one place."""
    if loaded.runs.empty:
        told = "; ".join(f"{place} {problem}" for place, problem in loaded.problems.items())
        raise SpecError([Fault(("export",), f"there are no runs to export: {told}")])
    places = Counter(f"{path.parent.name}/{path.name}" for path in loaded.directories.values())
    if twice := [place for place, count in places.items() if count > 1]:
        message = f"{counted(len(twice), 'run')} lie in several of the paths, such as {twice[0]}"
        raise SpecError([Fault(("export",), f"{message}; export them one after the other")])


def _writer(kind: str, to: str) -> Callable[[ExportedRun], bool]:
    if kind == "tensorboard":
        if Path(to).exists() and not Path(to).is_dir():
            raise SpecError([Fault(("--to",), f"{to} is a file; give a log directory")])
        from kerasbatch.analysis.exporters import tensorboard

        return lambda run: tensorboard.write_events(run, Path(to))
    from kerasbatch.analysis.exporters.mlflow import MlflowExporter

    return MlflowExporter(to).write
