"""Which run directories lie under some paths: results roots, experiments, or single runs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.record_schema import record_problem
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.run_status import RunStatus
from kerasbatch.spec.reader import load_spec

MARKS = ("record.json", "spec.yaml")
DEPTH = 3
"""How far below a path runs are looked for: results/reference/<experiment>/<run>."""


@dataclass(frozen=True)
class RunFiles:
    """A run directory, read.

    Args:
        path: where it is.
        record: its record, or that of a run that has not ended, with what is known of it.
        problem: what is wrong with it, in words, or None.
        experiment: the name of the directory that it lies in; with those above it where others of
            the same name are read too.
    """

    path: Path
    record: dict[str, Any] | None
    problem: str | None = None
    experiment: str = ""

    @property
    def key(self) -> str:
        """Its name among runs of several experiments."""
        return f"{self.experiment}/{self.path.name}"


def find_runs(paths: Iterable[str | Path]) -> tuple[list[RunFiles], dict[str, str]]:
    """Return the runs under some paths, each once, in the order of their names.

    Returns:
        The runs, and by path what holds none.

    Raises:
        SpecError: if a path is not there.
    """
    folders = [Path(path) for path in paths]
    faults = [
        Fault((str(path),), "is no directory; give a results folder, an experiment or a run")
        for path in folders
        if not path.is_dir()
    ]
    if faults:
        raise SpecError(faults)
    found: dict[Path, RunFiles] = {}
    empty: dict[str, str] = {}
    for path in folders:
        runs = run_directories(path)
        if not runs:
            empty[str(path)] = "holds no run"
        found |= {run: _read(run) for run in runs if run not in found}
    names = _names({run.parent for run in found})
    return [replace(each, experiment=names[run.parent]) for run, each in found.items()], empty


def run_directories(path: Path) -> list[Path]:
    """Return the run directories under a path, whole or not, in the order of their names."""
    return list(_below(path.resolve(), DEPTH))


def experiments(paths: Iterable[str | Path]) -> list[Path]:
    """Return the directories under some paths that hold an experiment.yaml."""
    found = (
        file.parent.resolve()
        for path in paths
        for depth in range(DEPTH)
        for file in sorted(Path(path).glob("*/" * depth + "experiment.yaml"))
    )
    return [each for each in dict.fromkeys(found) if not each.name.startswith(".")]


def _names(folders: Iterable[Path]) -> dict[Path, str]:
    """Return the shortest ends of paths that tell them apart."""
    depth, every = 1, list(folders)
    while len({path.parts[-depth:] for path in every}) < len(every):
        depth += 1
    return {path: "/".join(path.parts[-depth:]) for path in every}


def _below(path: Path, depth: int) -> Iterator[Path]:
    if any((path / mark).is_file() for mark in MARKS):
        yield path
    elif depth:
        for inner in sorted(path.iterdir()):
            if inner.is_dir() and not inner.name.startswith(".") and not inner.is_symlink():
                yield from _below(inner, depth - 1)


def _read(path: Path) -> RunFiles:
    found = RunDirectory(path).found()
    if found.problem:  # what is said of it is not what it holds
        return RunFiles(path, None, found.problem)
    if found.record is not None:
        problem = record_problem(found.record)
        return RunFiles(path, None, problem) if problem else RunFiles(path, found.record)
    return _unfinished(path)


def _unfinished(path: Path) -> RunFiles:
    """Say what is known of a run that has no record: it goes on, or its process was killed."""
    try:
        spec = load_spec(path / "spec.yaml").spec
    except SpecError as error:
        return RunFiles(path, None, f"its spec.yaml cannot be read: {error.faults[0]}")
    if spec.batch_size == "full":
        return RunFiles(
            path, None, "it has not ended, and how large its full batch is is not known"
        )
    rate = spec.optimizer.arguments.get("learning_rate")
    plain = spec.learning_rate_rule.rule == "none" and isinstance(rate, int | float)
    row = {
        "run_id": path.name,
        "status": RunStatus.UNFINISHED,
        "batch_size": spec.batch_size,
        "optimizer": spec.optimizer.name,
        "learning_rate": rate if plain else None,
        "seed": spec.seed,
    }
    return RunFiles(
        path, {"row": row, "spec": spec.plain(), "swept": {}, "status": RunStatus.UNFINISHED}
    )
