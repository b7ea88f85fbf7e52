"""Caveats about where numbers come from: data, versions, machines, engines, step checks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from kerasbatch.analysis.comparison.caveat import Caveat, ComparisonContext
from kerasbatch.records.run_status import FINISHED
from kerasbatch.spec.data_schema import KerasData
from kerasbatch.spec.schema import keys_where
from kerasbatch.step_check import is_mismatch

NO_SETTING = frozenset(keys_where(lambda key: not key.setting))
"""Keys that make no other setting; budgets have a caveat of their own."""
_UNKNOWN: tuple[Any, ...] = (None, (), (None,) * 5)
"""What a run that has not ended says of its origin."""
VERSIONS = ("kerasbatch", "keras", "tensorflow", "numpy", "python")


def mixed(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Runs of different data, code, versions or machines are compared."""
    told = {
        "data": lambda record: record.get("data_fingerprint"),
        "versions": lambda record: tuple((record.get("versions") or {}).get(v) for v in VERSIONS),
        "machines": lambda record: tuple(sorted((record.get("machine") or {}).items())),
        "states of own code": _own_code,
    }
    for what, key in told.items():
        found = {key(evidence.records[run]) for run in evidence.chosen["run"]} - set(_UNKNOWN)
        if len(found) > 1:
            rows = tuple(map(int, evidence.table.index))
            message = f"{len(found)} different {what} are mixed"
            yield Caveat("mixed", message, tuple(evidence.chosen["run"]), rows)


def other_specs(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Seeds of a row are no repetitions where their specs differ in more than the seed."""
    for _, runs in evidence.chosen.groupby("row"):
        specs = [evidence.records[run].get("spec") or {} for run in runs["run"]]
        keys = {key for spec in specs for key in spec} - NO_SETTING
        differ = sorted(
            k for k in keys if len({json.dumps(s.get(k), sort_keys=True) for s in specs}) > 1
        )
        if differ:
            what = f"runs that differ in {', '.join(differ)} stand in one row; compare by it"
            yield from evidence.over("mixed", what, runs)


def runs_own_code(spec: Mapping[str, Any]) -> bool:
    """Tell whether a resolved spec names Python code."""
    named = [spec.get("data"), spec.get("model"), *(spec.get("callbacks") or ())]
    return any(isinstance(part, dict) and "python" in part for part in named)


def _own_code(record: Mapping[str, Any]) -> Any:
    """Return the commit of a run whose spec names Python code, which is a part of its numbers."""
    return record.get("git_commit") if runs_own_code(record.get("spec") or {}) else None


def fallback(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Other data stood in for those that were asked for."""
    asked = [
        ((evidence.records[run].get("spec") or {}).get("data") or {}).get("name")
        for run in evidence.chosen["run"]
    ]
    used = evidence.chosen["data_used"]
    other = [
        want is not None and isinstance(have, str) and want != have
        for want, have in zip(asked, used, strict=True)
    ]
    what = "trained on fallback data, not on those that the spec names"
    yield from evidence.over("fallback", what, evidence.chosen[other])


def step_check(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Steps were not those planned."""
    wrong = evidence.chosen["step_check"].map(lambda check: is_mismatch(str(check)))
    yield from evidence.over("step_check", "the step check failed", evidence.chosen[wrong])


def test_target(evidence: ComparisonContext) -> Iterator[Caveat]:
    """What was chosen by is the data set's own test part: its value is too good from now on."""
    on_test = []
    for run in evidence.chosen["run"]:
        spec = evidence.records[run].get("spec") or {}
        given, row = spec.get("validation"), evidence.records[run].get("row") or {}
        has_val = any(key.startswith("val_") for key in row)
        own_test = given == "test" or (given is None and _has_test(row))
        on_test.append(has_val and own_test)
    what = (
        "chosen on the data set's own test part; take validation from the training data "
        "(validation: {fraction: 0.1}), and the test metrics are measured once, at the end"
    )
    yield from evidence.over("test_target", what, evidence.chosen[on_test])


def _has_test(row: Mapping[str, Any]) -> bool:
    """Tell whether the data of a run have a test part of their own: those of Keras do."""
    return row.get("data_used") in get_args(KerasData)


def engines(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Seconds of different engines are no measure of batch sizes."""
    ended = evidence.chosen[evidence.chosen["status"].isin(FINISHED)]
    names = sorted(ended["engine"].dropna().unique())
    if len(names) > 1:
        rows = tuple(sorted(ended["row"].unique()))
        message = f"seconds are of different engines: {', '.join(names)}"
        yield Caveat("engines", message, tuple(ended["run"]), rows)
