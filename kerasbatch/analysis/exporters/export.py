"""The export of runs to TensorBoard or MLflow."""

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
    """The result of an export.

    Args:
        runs: the number of runs.
        new: the number of runs that were new, or had new values.
    """

    runs: int
    new: int


def check_exporter(kind: str) -> None:
    """Check that an exporter exists and that its package is installed.

    Args:
        kind: `tensorboard` or `mlflow`.

    Raises:
        SpecError: with the valid names, or the command that installs the package.
    """
    if kind not in KINDS:
        message = f"found {show_value(kind)}; must be {' or '.join(KINDS)}"
        raise SpecError([Fault(("--to",), f"{message}{suggestion(kind, KINDS)}")])
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
    """Export runs to another tool; values that an earlier export wrote are not written again.

    Args:
        loaded: the runs.
        kind: `tensorboard` or `mlflow`.
        to: the log directory, or the tracking URI.
        watch: takes the runs and their number, yields the runs, and may show the progress.

    Raises:
        SpecError: if the kind is unknown, its package is not installed, or it rejects `to`.
    """
    check_exporter(kind)
    _check_runs(loaded)
    write = _writer(kind, to)
    new = [write(run) for run in watch(exported_runs(loaded), len(loaded.runs))]
    return ExportSummary(len(new), sum(new))


def _check_runs(loaded: Loaded) -> None:
    """Raise a SpecError if there are no runs, or two runs have the same experiment and name."""
    if loaded.runs.empty:
        problems = "; ".join(f"{path} {problem}" for path, problem in loaded.problems.items())
        raise SpecError([Fault(("export",), f"there are no runs to export: {problems}")])
    names = Counter(f"{path.parent.name}/{path.name}" for path in loaded.directories.values())
    if duplicates := [name for name, count in names.items() if count > 1]:
        message = f"found {counted(len(duplicates), 'run')} in several of the paths, such as "
        message += f"{duplicates[0]}; export the paths one by one"
        raise SpecError([Fault(("export",), message)])


def _writer(kind: str, to: str) -> Callable[[ExportedRun], bool]:
    if kind == "tensorboard":
        if Path(to).exists() and not Path(to).is_dir():
            raise SpecError([Fault(("--to",), f"{to} is a file; give a log directory")])
        from kerasbatch.analysis.exporters import tensorboard

        return lambda run: tensorboard.write_events(run, Path(to))
    from kerasbatch.analysis.exporters.mlflow import MlflowExporter

    return MlflowExporter(to).write
