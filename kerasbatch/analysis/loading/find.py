"""Find run directories under paths: results folders, experiments, or single runs."""

import functools
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasbatch.analysis.loading.unfinished import partial_record
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.file_names import EXPERIMENT, RECORD, SPEC
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.run_id import identity_with_code
from kerasbatch.records.stored_files import StoredFileError, read_stored_spec
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.schema import Spec

DEPTH = 3
"""The number of levels searched below a path: results/reference/<experiment>/<run>."""


_SEED = "seed"
_DEFAULT_SEED = Spec.model_fields[_SEED].default


@dataclass(frozen=True)
class RunFiles:
    """The contents of a run directory.

    Args:
        path: the directory.
        record: its record; for a run that has not ended, a partial one made from its spec.
        problem: the reason why it cannot be read, as a message, or None.
        experiment: the name of its parent directory; with the directories above it if several
            parents have the same name.
        is_named: whether the user named it by its own path, and none of the folders above it.
    """

    path: Path
    record: dict[str, Any] | None
    problem: str | None = None
    experiment: str = ""
    is_named: bool = False

    @functools.cached_property
    def key(self) -> str:
        """The run as experiment/run, unique among several experiments."""
        return f"{self.experiment}/{self.path.name}"

    @functools.cached_property
    def identity(self) -> str | None:
        """A text that is equal for runs with the same settings; None without a readable spec."""
        if plain := (self.record or {}).get("spec"):
            return _identity_of(plain)
        try:
            return identity_text(read_stored_spec(self.path / SPEC).spec)
        except (SpecError, StoredFileError):
            return None  # Loaded.problems names this run


def identity_text(spec: Spec) -> str:
    """Return the settings of a spec that determine its results, as text."""
    return _as_text(identity_with_code(spec))


def _as_text(identity: Mapping[str, Any]) -> str:
    return json.dumps(identity, sort_keys=True)


def _identity_of(plain: Mapping[str, Any]) -> str | None:
    """Return the identity of a plain spec, or None if it is not legal.

    Checking a spec takes most of the time of loading a run, and most runs differ in their seed
    alone, which is a key of the identity unless it has its default.
    """
    seed = plain.get(_SEED)
    if type(seed) is not int or not 0 <= seed < 2**32:
        return _checked_text(json.dumps(plain))
    rest = {key: value for key, value in plain.items() if key != _SEED}
    text = _checked_text(json.dumps(rest))
    return (
        text
        if text is None or seed == _DEFAULT_SEED
        else _as_text({**json.loads(text), _SEED: seed})
    )


@functools.lru_cache(maxsize=1024)
def _checked_text(plain: str) -> str | None:
    try:
        return identity_text(spec_from_dict(json.loads(plain)).spec)
    except SpecError:
        return None


def find_runs(paths: Iterable[str | Path]) -> tuple[list[RunFiles], dict[str, str]]:
    """Return the runs under some paths, each once, path by path and sorted by name.

    Returns:
        The runs, and a message for every path without runs.

    Raises:
        SpecError: if a path is not a directory.
    """
    folders = [Path(path) for path in paths]
    faults = [
        Fault((str(path),), "is no directory; give a results folder, an experiment or a run")
        for path in folders
        if not path.is_dir()
    ]
    if faults:
        raise SpecError(faults)
    runs: dict[Path, RunFiles] = {}
    empty: dict[str, str] = {}
    for path in folders:
        directories = run_directories(path)
        if not directories:
            empty[str(path)] = "holds no run"
        runs |= {directory: _read(directory) for directory in directories if directory not in runs}
    names, resolved = (
        _unique_names({run_folder.parent for run_folder in runs}),
        {f.resolve() for f in folders},
    )
    return [
        replace(
            run, experiment=names[run.path.parent], is_named=resolved.isdisjoint(run.path.parents)
        )
        for run in runs.values()
    ], empty


def run_directories(path: Path) -> list[Path]:
    """Return the run directories under a path, finished or not, sorted by name."""
    return list(_walk(path.resolve(), DEPTH))


def experiments(paths: Iterable[str | Path], runs: Iterable[RunFiles] = ()) -> list[Path]:
    """Return the directories under some paths that hold an experiment.yaml.

    Args:
        paths: the paths.
        runs: the runs under them, which hold no experiments.
    """
    known = {run.path for run in runs}
    folders = (
        folder for path in paths for folder in _experiments(Path(path).resolve(), DEPTH - 1, known)
    )
    return list(dict.fromkeys(folders))


def _experiments(path: Path, depth: int, runs: Collection[Path]) -> Iterator[Path]:
    if (path / EXPERIMENT).exists():
        yield path
    if depth:
        for inner in _folders(path):
            if inner not in runs:
                yield from _experiments(inner, depth - 1, runs)


def _unique_names(folders: Collection[Path]) -> dict[Path, str]:
    """Return the shortest ends of paths that are all different."""
    depth = 1
    while len({path.parts[-depth:] for path in folders}) < len(folders):
        depth += 1
    return {path: "/".join(path.parts[-depth:]) for path in folders}


def _walk(path: Path, depth: int) -> Iterator[Path]:
    if any((path / mark).is_file() for mark in (RECORD, SPEC)):
        yield path
    elif depth:
        for inner in _folders(path):
            yield from _walk(inner, depth - 1)


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folders in a folder, without hidden ones and links."""
    with os.scandir(path) as entries:
        names = [
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
        ]
    for name in sorted(names):
        yield path / name


def _read(path: Path) -> RunFiles:
    stored = RunDirectory(path).read()
    if stored.problem:  # the record does not match the files
        return RunFiles(path, None, stored.problem)
    if stored.record is not None:
        return RunFiles(path, stored.record)
    try:
        return RunFiles(path, partial_record(path))
    except StoredFileError as error:
        return RunFiles(path, None, str(error))
