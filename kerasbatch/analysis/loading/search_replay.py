"""Replays the search of a sweep from the records of its runs: the runs that it has asked for.

The search decides by results alone, so that the same runs follow here as in training.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasbatch.analysis.loading.find import RunFiles, identity_text
from kerasbatch.records.history_file import read_history
from kerasbatch.records.run_status import RunStatus
from kerasbatch.search.group import groups_of
from kerasbatch.search.group_search import RunRequest
from kerasbatch.search.seed_result import SeedResult, is_enough, seed_result
from kerasbatch.search.sweep_search import SweepSearch, answer, results_decide
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.single_run import SingleRun


@dataclass(frozen=True)
class SearchedRuns:
    """The runs of a sweep, as far as its search has come.

    Args:
        runs: the runs that were asked for, by their identity.
        seeds: the number of seeds of their settings, by their identity.
        members: the identities of all runs that belong to the sweep.
        given_up: the identities of runs of settings that were given up.
        searched: the keys whose values are searched.
    """

    runs: Mapping[str, SingleRun]
    seeds: Mapping[str, int]
    members: frozenset[str]
    given_up: frozenset[str]
    searched: tuple[str, ...]


def runs_of_search(
    spec: Spec, singles: Sequence[SingleRun], present: Iterable[RunFiles]
) -> SearchedRuns:
    """Return the runs that a sweep asks for, by the results that exist.

    Args:
        spec: the spec with the sweep.
        singles: the runs of the sweep, as `expand` returns them.
        present: the runs that exist.
    """
    groups = groups_of(spec, singles)
    by_group = {id(run): len(group.seeds) for group in groups for run in group.runs}
    present = list(present)
    names = {id(single): identity_text(single.spec) for single in singles}
    examples = _train_examples(present)
    if examples is None and (groups[0].is_auto or spec.budget is not None):
        # No run has ended: which others follow is unknown.
        members = {*names.values(), *(run.identity for run in present if run.identity)}
        return SearchedRuns({}, {}, frozenset(members), frozenset(), ())
    if not results_decide(spec, groups):
        runs = {names[id(single)]: single for single in singles}
        seeds = {names[id(single)]: by_group[id(single)] for single in singles}
        return SearchedRuns(runs, seeds, frozenset(runs), frozenset(), ())
    search = SweepSearch(spec, singles, examples or (lambda single: 1))
    records = {run.identity: run for run in present if run.identity is not None}
    asked: dict[str, SingleRun] = {}
    counts: dict[str, int] = {}

    def reader_of(request: RunRequest) -> Callable[[], SeedResult] | None:
        name = identity_text(request.run.spec)
        asked[name], counts[name] = request.run, by_group[id(request.base)]
        return _reader(request, records.get(name))

    answer(search, reader_of)
    members = set(asked) | ({*names.values()} if not groups[0].is_auto else set())
    given_up = {identity_text(run.spec) for run in search.given_up()}
    return SearchedRuns(asked, counts, frozenset(members), frozenset(given_up), groups[0].searched)


def _reader(request: RunRequest, files: RunFiles | None) -> Callable[[], SeedResult] | None:
    """Return a function that reads the result of a run, if it is enough for a request."""
    record = files.record if files else None
    if files is None or record is None:
        return None
    is_failed = RunStatus(record["status"]).is_failure
    if not is_failed and not is_enough(record, request.cap):
        return None
    history = files.path / "history.csv"
    return lambda: seed_result(request.run.spec, record, read_history(history), request.cap)


def _train_examples(present: Sequence[RunFiles]) -> Callable[[SingleRun], int] | None:
    """Return a function that knows the training examples of a run by those of equal data.

    None if no run has ended.
    """
    known = {
        _data(run.record["spec"]): run.record["row"].get("train_examples")
        for run in present
        if run.record
    }
    largest = max((count for count in known.values() if count), default=None)
    if largest is None:
        return None
    return lambda single: known.get(_data(single.spec.plain())) or largest


def _data(plain: Mapping[str, Any]) -> str:
    return json.dumps([plain.get("data"), plain.get("validation")], sort_keys=True)
