"""The missing and the stale runs of an experiment, according to its spec.

experiment.yaml beside the runs is the spec as the user wrote it. Two runs are the same if the
settings that determine their results are equal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.errors import SpecError
from kerasbatch.records.file_names import EXPERIMENT, SPEC
from kerasbatch.records.run_id import identity
from kerasbatch.records.stored_files import StoredFileError, read_stored_spec
from kerasbatch.spec import sweep
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.schema import Spec


@dataclass(frozen=True)
class ExpectedRuns:
    """The runs of an experiment, compared with its spec.

    Args:
        total: the number of runs that the spec describes, or None if it is unknown.
        missing: the swept values of the runs that do not exist.
        stale: runs that the spec does not describe, or no longer; as experiment/run.
        problem: the reason why nothing is known, as a message, or None.
    """

    total: int | None = None
    missing: tuple[Mapping[str, Any], ...] = ()
    stale: tuple[str, ...] = ()
    problem: str | None = None


def expected_runs(folder: Path, loaded: Loaded) -> ExpectedRuns:
    """Compare the runs of an experiment with its spec.

    Args:
        folder: its directory.
        loaded: its runs; if the record of a run could not be read, its spec.yaml is read.
    """
    try:
        runs = sweep.expand(read_stored_spec(folder / EXPERIMENT))
    except StoredFileError as error:
        return ExpectedRuns(problem=f"{EXPERIMENT} {error}")
    except SpecError as error:
        return ExpectedRuns(problem=f"{EXPERIMENT} holds no legal spec: {error.faults[0].message}")
    expected, specs = {_spec_identity(run.spec): run.swept for run in runs}, loaded.specs
    existing = {key: _identity(path, specs.get(key)) for key, path in loaded.directories.items()}
    identities = set(existing.values())
    return ExpectedRuns(
        total=len(expected),
        missing=tuple(swept for name, swept in expected.items() if name not in identities),
        stale=tuple(key for key, name in existing.items() if name and name not in expected),
    )


def _identity(run: Path, plain: Mapping[str, Any] | None) -> str | None:
    """Return the identity of a run, or None if its spec cannot be read."""
    try:
        source = read_stored_spec(run / SPEC) if plain is None else spec_from_dict(plain)
    except (SpecError, StoredFileError):
        return None  # Loaded.problems names this run
    return _spec_identity(source.spec)


def _spec_identity(spec: Spec) -> str:
    """Return a text that is equal for specs with the same results."""
    return json.dumps(identity(spec), sort_keys=True)
