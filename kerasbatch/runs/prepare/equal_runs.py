"""Refuses two spellings of one run in a grid: they would count as two runs with equal numbers."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.run_id import identity
from kerasbatch.spec.named_paths import code_beside_model, named_paths, with_absolute_paths
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access
from kerasbatch.steps import Plan
from kerasbatch.text import value_label

Swept = Mapping[str, Any]


def refuse_equal_runs(runs: Iterable[tuple[SingleRun, Plan]], access: Access) -> None:
    """Raise SpecError for runs of a grid that differ in their spelling only.

    Args:
        runs: the runs, and their counts; `batch_size: full` is equal to its number of examples.
        access: the folder of the spec.
    """
    first: dict[str, SingleRun] = {}
    pairs = []
    for single, plan in runs:
        earlier = first.setdefault(_identity(single, plan, access), single)
        if earlier is not single:
            pairs.append((earlier.swept, single.swept))
    if pairs:
        raise SpecError(_faults(pairs))


def _identity(single: SingleRun, plan: Plan, access: Access) -> str:
    spec = with_absolute_paths(single.spec, access)
    keys = identity(spec) | {"batch_size": plan.batch_size}
    files = [str(getattr(getattr(spec, key), inner)) for key, inner, _ in named_paths(spec)]
    plain = spec.plain()
    code = [name for _, name in code_beside_model(spec)]
    others = [plain["callbacks"], code, plain.get("initial_weights")]
    return json.dumps([keys, files, *others], sort_keys=True)


def _faults(pairs: Iterable[tuple[Swept, Swept]]) -> Iterable[Fault]:
    """Return a fault for every two values; combinations of them follow from it."""
    differing = [([key for key in b if a[key] != b[key]], a, b) for a, b in pairs]
    fewest = min(len(keys) for keys, _, _ in differing)
    return dict.fromkeys(_fault(*pair) for pair in differing if len(pair[0]) == fewest)


def _fault(keys: list[str], *runs: Swept) -> Fault:
    one, other = (", ".join(f"{key}={value_label(run[key])}" for key in keys) for run in runs)
    return Fault(("sweep", keys[0]), f"{one} and {other} are the same run; leave one of them out")
