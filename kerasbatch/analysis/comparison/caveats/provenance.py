"""Caveats about the origin of results: data, versions, machines, engines, step checks."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext
from kerasbatch.records.run_status import FINISHED, RunStatus
from kerasbatch.spec.data_schema import KerasData
from kerasbatch.spec.schema import keys_where
from kerasbatch.step_check import is_mismatch

NON_SETTING_KEYS = frozenset({*keys_where(lambda key: not key.setting), "checkpoint"})
"""Keys that do not distinguish settings; budgets have their own caveat. `checkpoint` is a key of
earlier records."""
_UNKNOWN: tuple[Any, ...] = (None, (), (None,) * 6)
"""The origins of a run that has not ended."""
VERSIONS = ("kerasbatch", "keras", "tensorflow", "jax", "numpy", "python")


def mixed(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if runs of different data, code, versions or machines are compared."""
    origins = {
        "data": lambda record: record.get("data_fingerprint"),
        "versions": lambda record: tuple((record.get("versions") or {}).get(v) for v in VERSIONS),
        "machines": lambda record: tuple(sorted((record.get("machine") or {}).items())),
        "commits of own code": _commit_of_own_code,
    }
    for name, origin_of in origins.items():
        values = {origin_of(context.records[run]) for run in context.chosen["run"]} - set(_UNKNOWN)
        if len(values) > 1:
            rows = tuple(map(int, context.table.index))
            message = f"{len(values)} different {name} are mixed"
            yield Caveat("mixed", message, tuple(context.chosen["run"]), rows)
    yield from _mixed_code(context)


def _mixed_code(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat if runs of different versions of a file of own code are compared."""
    versions: dict[str, set[str]] = defaultdict(set)
    for run in context.chosen["run"]:
        for file, content_hash in (context.records[run].get("code") or {}).items():
            versions[file].add(content_hash)
    changed = [file for file, hashes in sorted(versions.items()) if len(hashes) > 1]
    if changed:
        rows = tuple(map(int, context.table.index))
        message = f"different versions of {' and '.join(changed)} are mixed"
        yield Caveat("mixed", message, tuple(context.chosen["run"]), rows)


def other_specs(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if the specs of a row differ in more than the seed: not repetitions."""
    # The spec.yaml of a run that has not ended names files by other paths than a record.
    ended = context.chosen[context.chosen["status"] != RunStatus.UNFINISHED]
    for _, runs in ended.groupby("row"):
        specs = (context.records[run].get("spec") or {} for run in runs["run"])
        settings = [{k: v for k, v in spec.items() if k not in NON_SETTING_KEYS} for spec in specs]
        differ = _differing_keys(settings)
        if differ:
            message = f"runs that differ in {', '.join(differ)} stand in one row; compare by it"
            yield from context.caveats_for("mixed", message, runs)


def _differing_keys(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys whose values are not equal in all of some plain specs, sorted."""
    different = [json.loads(text) for text in {json.dumps(s, sort_keys=True) for s in specs}]
    keys = sorted({key for spec in different for key in spec})
    return [
        key
        for key in keys
        if len({json.dumps(spec.get(key), sort_keys=True) for spec in different}) > 1
    ]


def runs_own_code(spec: Mapping[str, Any]) -> bool:
    """Return whether a resolved spec names Python code."""
    named = [spec.get("data"), spec.get("model"), *(spec.get("callbacks") or ())]
    return any(isinstance(part, dict) and "python" in part for part in named)


def _commit_of_own_code(record: Mapping[str, Any]) -> Any:
    """Return the commit of a run of own code whose record has no hashes of it."""
    has_hashes = bool(record.get("code")) or not runs_own_code(record.get("spec") or {})
    return None if has_hashes else record.get("git_commit")


def fallback(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat for runs that trained on fallback data."""
    requested = [
        ((context.records[run].get("spec") or {}).get("data") or {}).get("name")
        for run in context.chosen["run"]
    ]
    used = context.chosen["data_used"]
    other = [
        name is not None and isinstance(actual, str) and name != actual
        for name, actual in zip(requested, used, strict=True)
    ]
    message = "trained on fallback data, not on those that the spec names"
    yield from context.caveats_for("fallback", message, context.chosen[other])


def step_check(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat for runs whose steps differ from their plan."""
    wrong = context.chosen["step_check"].map(lambda check: is_mismatch(str(check)))
    yield from context.caveats_for("step_check", "the step check failed", context.chosen[wrong])


def test_target(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat for runs chosen on the data set's own test part, which is biased by that."""
    on_test = []
    for run in context.chosen["run"]:
        spec = context.records[run].get("spec") or {}
        validation, row = spec.get("validation"), context.records[run].get("row") or {}
        has_val = any(key.startswith("val_") for key in row)
        own_test = validation == "test" or (validation is None and _has_test(row))
        on_test.append(has_val and own_test)
    message = (
        "chosen on the data set's own test part; take validation from the training data "
        "(validation: {fraction: 0.1}), and the test metrics are measured once, at the end"
    )
    yield from context.caveats_for("test_target", message, context.chosen[on_test])


def _has_test(row: Mapping[str, Any]) -> bool:
    """Return whether the data of a run have their own test part: the data sets of Keras do."""
    return row.get("data_used") in get_args(KerasData)


def engines(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat if seconds of different engines are compared."""
    ended = context.chosen[context.chosen["status"].isin(FINISHED)]
    names = sorted(ended["engine"].dropna().unique())
    if len(names) > 1:
        rows = tuple(sorted(ended["row"].unique()))
        message = f"seconds are of different engines: {', '.join(names)}"
        yield Caveat("engines", message, tuple(ended["run"]), rows)
