"""Which runs an experiment asks for that are not there, and which are there unasked.

experiment.yaml beside the runs is the spec as it was given; the runs that it stands for are told
from each other by what makes their numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.errors import SpecError
from kerasbatch.records.run_id import identity
from kerasbatch.spec import sweep
from kerasbatch.spec.reader import load_spec, spec_from_dict
from kerasbatch.spec.schema import Spec


@dataclass(frozen=True)
class ExpectedRuns:
    """The runs of an experiment, held against its spec.

    Args:
        total: how many runs the spec stands for, or None where that cannot be told.
        missing: the swept values of those that are not there.
        stale: runs that the spec does not ask for, or no more; as experiment/run.
        problem: why nothing can be told, in words, or None.
    """

    total: int | None = None
    missing: tuple[Mapping[str, Any], ...] = ()
    stale: tuple[str, ...] = ()
    problem: str | None = None


def expected_runs(folder: Path, loaded: Loaded) -> ExpectedRuns:
    """Hold the runs of an experiment against its spec.

    Args:
        folder: its directory.
        loaded: its runs; of one whose record could not be read, its spec.yaml is asked.
    """
    try:
        file = folder / "experiment.yaml"
        if file.is_symlink():
            return ExpectedRuns(problem="experiment.yaml is a link, which is not followed")
        runs = sweep.expand(load_spec(file))
    except SpecError as error:
        return ExpectedRuns(problem=f"experiment.yaml cannot be read: {error.faults[0].message}")
    asked, specs = {_of(each.spec): each.swept for each in runs}, loaded.specs
    there = {key: _identity(path, specs.get(key)) for key, path in loaded.directories.items()}
    found = set(there.values())
    return ExpectedRuns(
        total=len(asked),
        missing=tuple(swept for name, swept in asked.items() if name not in found),
        stale=tuple(key for key, name in there.items() if name and name not in asked),
    )


def _identity(run: Path, plain: Mapping[str, Any] | None) -> str | None:
    """Return what tells a run from others, or None where its spec cannot be read."""
    try:
        source = load_spec(run / "spec.yaml") if plain is None else spec_from_dict(plain)
    except SpecError:
        return None  # it is named among those that could not be read
    return _of(source.spec)


def _of(spec: Spec) -> str:
    return json.dumps(identity(spec), sort_keys=True)
