"""Expands a spec with a sweep into the specs of its runs, without running them."""

import contextlib
import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec import axis
from kerasbatch.spec.axis import SIZE, Axis
from kerasbatch.spec.check import check_spec, fill_swept
from kerasbatch.spec.overrides import set_value
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.schema import BUDGETS, Spec
from kerasbatch.spec.yaml_tree import Tree
from kerasbatch.text import value_label

MAX_RUNS = 10_000


@dataclass(frozen=True)
class SingleRun:
    """One run of a sweep.

    Args:
        spec: the spec of this run, without a sweep.
        swept: the dotted keys of the sweep with this run's values; empty without a sweep.
        places: the place in the grid for every swept location.
    """

    spec: Spec
    swept: Mapping[str, Any]
    places: Mapping[Location, Location] = field(default_factory=dict)

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Move faults of swept keys to the grid, the source of their values."""
        try:
            yield
        except SpecError as error:
            faults = (
                replace(fault, location=self.places.get(fault.location, fault.location))
                for fault in error.faults
            )
            raise error.with_faults(faults) from error.__cause__


def expand(source: SpecSource) -> tuple[SingleRun, ...]:
    """Return the runs of a spec, in the order of its grid; a spec without a sweep is one run.

    Raises:
        SpecError: with every fault of the grid: an unknown key, an empty list, equal values, a
            value that its key does not allow, or more than MAX_RUNS runs.
    """
    grid = source.spec.sweep
    if grid is None:
        return (SingleRun(source.spec, {}),)
    base, axes = _without_sweep(source), [axis.axis_of(*item) for item in grid.items()]
    faults = [*_budget_faults(grid), *axis.grid_faults(axes)]
    try:
        if not faults:
            return _runs(source, base, axes)
    except SpecError as error:
        if not (faults := list(axis.value_faults(base, axes))):
            raise
        raise source.tree.locate(SpecError(faults)) from error
    faults += axis.value_faults(base, axes)
    raise source.tree.locate(SpecError(faults))


def _budget_faults(grid: Mapping[str, Any]) -> list[Fault]:
    budgets = [key for key in grid if key in BUDGETS]
    message = "a run has one budget; sweep one of epochs, steps, examples"
    return [Fault(("sweep", key), message) for key in budgets[1:]]


def _runs(source: SpecSource, base: dict[str, Any], axes: list[Axis]) -> tuple[SingleRun, ...]:
    choices = list(itertools.islice(_choices(axes), MAX_RUNS + 1))
    if len(choices) > MAX_RUNS:
        message = f"makes {_count(axes)}, more than {MAX_RUNS:,}"
        raise source.tree.locate(SpecError.at(("sweep",), message))
    return tuple(_single_run(source, base, axes, choice) for choice in choices)


def _choices(axes: list[Axis]) -> Iterator[dict[str, Any]]:
    """Yield every combination; the last key varies fastest, and sizes precede dependent keys."""
    ordered = axes if all(part.by_size is None for part in axes) else _sizes_first(axes)

    def combinations(number: int, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if number == len(ordered):
            yield chosen
            return
        for value in ordered[number].values_for(chosen):
            yield from combinations(number + 1, chosen | {ordered[number].key: value})

    return combinations(0, {})


def _sizes_first(axes: list[Axis]) -> list[Axis]:
    return sorted(axes, key=lambda part: part.key != SIZE)


def _count(axes: list[Axis]) -> str:
    if any(part.by_size is not None for part in axes):
        return "more runs"
    return f"{math.prod(len(part.values) for part in axes):,} runs"


def _without_sweep(source: SpecSource) -> dict[str, Any]:
    filled = fill_swept(source.tree.value) | {"name": source.spec.name}
    return {key: value for key, value in filled.items() if key != "sweep"}


def _single_run(
    source: SpecSource, base: dict[str, Any], axes: list[Axis], swept: dict[str, Any]
) -> SingleRun:
    changed = {key.split(".")[0] for key in swept}
    plain = {key: copy.deepcopy(part) if key in changed else part for key, part in base.items()}
    places: dict[Location, Any] = {}
    try:
        for outer_first in sorted(axes, key=lambda part: len(part.location)):
            value = copy.deepcopy(swept[outer_first.key])
            places[set_value(plain, outer_first.key, value)] = outer_first.place
        return SingleRun(check_spec(Tree(plain), source.spec.name), swept, places)
    except SpecError as error:
        chosen = ", ".join(f"{key}={value_label(value)}" for key, value in swept.items())
        faults = [
            Fault(("sweep",), f"with {chosen}: {replace(fault, file=None)}")
            for fault in error.faults
        ]
        raise source.tree.locate(SpecError(faults)) from None
