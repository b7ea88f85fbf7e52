"""The runs that an experiment's spec asks for: those that are missing, and stale ones.

experiment.yaml beside the runs is the spec as the user wrote it, without the overrides of a command
(`--set`). Each record keeps the overrides of its run, and the hash of the spec file. A run is stale
if the spec does not ask for it and the file has been edited since its training. A run of a dict in
Python is of no file, and never stale.
"""

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasbatch.analysis.loading.find import RunFiles
from kerasbatch.analysis.loading.search_replay import runs_of_search
from kerasbatch.errors import SpecError
from kerasbatch.records.file_names import EXPERIMENT
from kerasbatch.records.run_id import spec_hash
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.stored_files import StoredFileError, read_stored
from kerasbatch.spec.reader import SpecSource, parse_spec
from kerasbatch.spec.sweep.expand import MAX_RUNS, expand
from kerasbatch.spec.sweep.search_space import ranges_of
from kerasbatch.spec.sweep.single_run import SingleRun

SEED = "seed"


@dataclass(frozen=True)
class ExpectedRuns:
    """The runs of an experiment, compared with its spec.

    Args:
        total: the number of runs that the spec describes, or None if it is unknown.
        missing: the swept values of the runs that do not exist.
        stale: runs that the spec does not describe, or no longer; as experiment/run.
        seeds: by experiment/run, the number of seeds that the spec asks for with its settings.
        given_up: runs of settings that a search gave up, or tried with one seed only; as
            experiment/run.
        searched: the swept keys whose values are chosen by a search.
        ranges: the scale and the bounds of every key of a quasi-random search.
        problem: the reason why nothing is known, as a message, or None.
    """

    total: int | None = None
    missing: tuple[Mapping[str, Any], ...] = ()
    stale: tuple[str, ...] = ()
    seeds: Mapping[str, int] = field(default_factory=dict)
    given_up: frozenset[str] = frozenset()
    searched: frozenset[str] = frozenset()
    ranges: Mapping[str, tuple[str, Sequence[float]]] = field(default_factory=dict)
    problem: str | None = None


def expected_runs(folder: Path, runs: Collection[RunFiles]) -> ExpectedRuns:
    """Compare the runs of an experiment with its spec.

    Args:
        folder: its directory.
        runs: its runs.
    """
    try:
        asked = _AskedRuns(folder / EXPERIMENT, runs)
    except FileNotFoundError:
        return ExpectedRuns(problem=f"{EXPERIMENT} is missing")
    except StoredFileError as error:
        return ExpectedRuns(problem=f"{EXPERIMENT} {error}")
    except SpecError as error:
        return ExpectedRuns(problem=f"{EXPERIMENT} holds no legal spec: {error.faults[0].message}")
    present = {run.identity for run in runs}
    return ExpectedRuns(
        total=len(asked.runs),
        missing=tuple(run.swept for name, run in asked.runs.items() if name not in present),
        stale=tuple(
            run.key
            for run in runs
            if run.identity is not None and run.identity not in asked.members
            if not asked.is_of_present_file(run)
        ),
        seeds={
            run.key: asked.seeds[asked.settings[run.identity]]
            for run in runs
            if run.identity is not None and run.identity in asked.runs
        },
        given_up=frozenset(run.key for run in runs if run.identity in asked.given_up),
        searched=frozenset(asked.searched),
        ranges=asked.ranges,
    )


class _AskedRuns:
    """The runs that the commands with the present spec file ask for.

    A command with overrides asks for a grid of its own. If all commands had overrides, the file
    alone asks for nothing.

    Attributes:
        runs: the runs by their identity.
        settings: a text for every run that is equal for runs that differ in their seed only.
        seeds: the number of seeds with the same settings.
        members: the runs by their identity, with those of settings that were given up.
        given_up: the identities of runs of settings that a search gave up.
        searched: the swept keys whose values are chosen by a search.
        ranges: the scale and the bounds of every key of a quasi-random search.
    """

    def __init__(self, file: Path, runs: Collection[RunFiles]) -> None:
        content, ended = read_stored(file), [run.record for run in runs if _has_ended(run)]
        self._any_ended = bool(ended)
        used = dict.fromkeys(tuple(record.get("overrides", ())) for record in ended if record)
        self._hash = _hash_of_file(file, content, used)
        present = dict.fromkeys(
            tuple(record.get("overrides", ()))
            for record in ended
            if record and record.get("spec_hash") in (None, self._hash)
        )
        self.runs: dict[str, SingleRun] = {}
        self.settings: dict[str, str] = {}
        self.seeds: dict[str, int] = {}
        self.members: set[str] = set()
        self.given_up: set[str] = set()
        self._whole: set[str] = set()
        self.searched: set[str] = set()
        self.ranges: dict[str, tuple[str, Sequence[float]]] = {}
        for overrides in present or [()]:
            if len(self.runs) < MAX_RUNS:
                self._add(parse_spec(content, file, overrides), overrides, runs)

    def _add(
        self, source: SpecSource, overrides: Sequence[str], present: Iterable[RunFiles]
    ) -> None:
        asked = runs_of_search(source.spec, expand(source), present)
        for name, run in asked.runs.items():
            self.runs[name] = run
            setting = json.dumps([overrides, run.key_without((SEED,))])
            self.settings[name], self.seeds[setting] = setting, asked.seeds[name]
        self.members |= asked.members
        # A command with fewer seeds may have given up what another one has trained whole.
        self._whole |= asked.runs.keys() - asked.given_up
        self.given_up = (self.given_up | asked.given_up) - self._whole
        self.searched |= set(asked.searched)
        self.ranges |= ranges_of(source.spec.search)

    def is_of_present_file(self, run: RunFiles) -> bool:
        """Return whether a run was trained from the present file, or may have been."""
        if run.record is None:
            return True  # it cannot be read
        if _has_ended(run):
            is_of_dict = "spec_hash" in run.record and run.record["spec_hash"] is None
            return is_of_dict or run.record.get("spec_hash") == self._hash
        return not self._any_ended  # it may be one of the first runs of a command with overrides


def _has_ended(run: RunFiles) -> bool:
    return run.record is not None and run.record["status"] != RunStatus.UNFINISHED


def _hash_of_file(file: Path, content: bytes, used: Iterable[tuple[str, ...]]) -> str | None:
    """Return the hash of a spec file, which may be legal with some of the overrides only."""
    for overrides in used:
        with contextlib.suppress(SpecError):
            return spec_hash(parse_spec(content, file, overrides))
    return spec_hash(parse_spec(content, file))
