"""Expands a spec with a sweep into the specs of its runs, without running them."""

import copy
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.check import check_spec, fill_swept
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.overrides import AUTO, RATE, set_value
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.schema import BUDGETS, OF_SWEEP, SWEEPING
from kerasbatch.spec.sweep import auto_rate, axis, search_space
from kerasbatch.spec.sweep.axis import SIZE, Axis
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.text import value_label

MAX_RUNS = 10_000


def expand(source: SpecSource) -> tuple[SingleRun, ...]:
    """Return the runs of a spec, in the order of its grid; a spec without a sweep is one run.

    Of a search for the learning rate (`auto`), the runs have the rate of the spec instead, and the
    swept value `auto`: the search replaces it.

    Raises:
        SpecError: with every fault of the grid: an unknown key, an empty list, equal values, a
            value that its key does not allow, or more than MAX_RUNS runs.
    """
    grid = source.spec.sweep or {}
    if not source.spec.makes_many:
        return (SingleRun(source.spec, {}),)
    base, axes = _without_sweep(source), [axis.axis_of(*item) for item in grid.items()]
    faults = [*_budget_faults(grid), *auto_rate.faults(source.spec), *axis.grid_faults(axes)]
    faults += search_space.faults(source.spec)
    if not faults:
        ranges = search_space.ranges_of(source.spec.search)
        searched = [Axis(key, ("search", key), None) for key in ranges]
        faults += axis.overwritten_by(axes, searched)
    try:
        if not faults:
            trials = search_space.trials(source.spec.search)
            return _runs(source, base, axes, trials)
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


def _runs(
    source: SpecSource, base: dict[str, Any], axes: list[Axis], trials: Sequence[Mapping[str, Any]]
) -> tuple[SingleRun, ...]:
    pairs = itertools.product(_choices(axes), trials)
    choices = list(itertools.islice(pairs, MAX_RUNS + 1))
    if len(choices) > MAX_RUNS:
        message = f"makes {_count(axes, len(trials))}, more than {MAX_RUNS:,}"
        raise source.tree.locate(SpecError.at((next(iter(_places(source))),), message))
    ranges = [Axis(key, ("search", key), None) for key in trials[0]]
    return tuple(
        _single_run(source, base, [*axes, *ranges], {**choice, **trial})
        for choice, trial in choices
    )


def _places(source: SpecSource) -> list[str]:
    return [key for key in SWEEPING if source.tree.value.get(key) is not None]


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


def _count(axes: list[Axis], trials: int) -> str:
    if any(part.by_size is not None for part in axes):
        return "more runs"
    return f"{trials * math.prod(len(part.values) for part in axes):,} runs"


def _without_sweep(source: SpecSource) -> dict[str, Any]:
    filled = fill_swept(source.tree.value) | {"name": source.spec.name}
    return {key: value for key, value in filled.items() if key not in OF_SWEEP}


def _single_run(
    source: SpecSource, base: dict[str, Any], axes: list[Axis], swept: dict[str, Any]
) -> SingleRun:
    changed = {key.split(".")[0] for key in swept}
    plain = {key: copy.deepcopy(part) if key in changed else part for key, part in base.items()}
    places: dict[Location, Any] = {}
    try:
        for axis in sorted(axes, key=lambda part: len(part.location)):  # outer keys first
            if axis.key == RATE and swept[RATE] == AUTO:
                continue  # the search sets it
            value = copy.deepcopy(swept[axis.key])
            places[set_value(plain, axis.key, value)] = axis.place
        return SingleRun(check_spec(Tree(plain), source.spec.name), swept, places)
    except SpecError as error:
        chosen = ", ".join(f"{key}={value_label(value)}" for key, value in swept.items())
        faults = [
            Fault((_places(source)[0],), f"with {chosen}: {replace(fault, file=None)}")
            for fault in error.faults
        ]
        raise source.tree.locate(SpecError(faults)) from None
