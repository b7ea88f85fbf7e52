"""Expands a spec with a sweep into the specs of its runs, without running them."""

import contextlib
import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.check import check_spec, fill_swept
from kerasbatch.spec.overrides import set_value
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.schema import BUDGETS, Spec, keys_where
from kerasbatch.spec.yaml_tree import Tree
from kerasbatch.text import show_value

MAX_RUNS = 10_000
NOT_SWEPT = keys_where(lambda key: not key.swept)
RATE, TIMES = "optimizer.learning_rate", "learning_rate_rule.times"
SIZE = "batch_size"
PER_SIZE = frozenset({RATE, *keys_where(lambda key: key.per_batch_size)})
"""Keys that may have a value per batch size."""


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


@dataclass(frozen=True)
class _Axis:
    """One key of the grid.

    Args:
        key: the dotted key that it sets.
        place: the place of its values.
        values: its values, unless they depend on the batch size.
        by_size: the values for every batch size, by its label.
    """

    key: str
    place: Location
    values: Any
    by_size: Any = None

    def values_for(self, chosen: Mapping[str, Any]) -> list[Any]:
        """Return the values that belong to the chosen values of other keys."""
        values = self.values if self.by_size is None else self.by_size[label(chosen[SIZE])]
        return values if isinstance(values, list) else [values]

    def all_values(self) -> Iterator[tuple[Location, Any]]:
        """Yield every value with its place."""
        lists = {(): self.values} if self.by_size is None else _by_location(self.by_size)
        for location, values in lists.items():
            if not isinstance(values, list):
                yield (*self.place, *location), values
                continue
            for number, value in enumerate(values):
                yield (*self.place, *location, number), value


def _by_location(by_size: Mapping[str, Any]) -> dict[Location, Any]:
    return {(size,): values for size, values in by_size.items()}


def expand(source: SpecSource) -> tuple[SingleRun, ...]:
    """Return the runs of a spec, in the order of its grid; a spec without a sweep is one run.

    Raises:
        SpecError: with every fault of the grid: an unknown key, an empty list, equal values, a
            value that its key does not allow, or more than MAX_RUNS runs.
    """
    grid = source.spec.sweep
    if grid is None:
        return (SingleRun(source.spec, {}),)
    faults = [
        Fault(("sweep", key), "a run has one budget; sweep one of epochs, steps, examples")
        for key in [key for key in grid if key in BUDGETS][1:]
    ]
    base, axes = _without_sweep(source), [_axis(key, values) for key, values in grid.items()]
    faults += _size_faults(axes)
    for axis in axes:
        list_faults = list(_list_faults(axis))
        faults += list_faults or _value_faults(base, axis)
    if faults:
        raise source.tree.locate(SpecError(faults))
    choices = list(itertools.islice(_choices(axes), MAX_RUNS + 1))
    if len(choices) > MAX_RUNS:
        message = f"makes {_count(axes)}, more than {MAX_RUNS:,}"
        raise source.tree.locate(SpecError.at(("sweep",), message))
    return tuple(_single_run(source, base, axes, choice) for choice in choices)


def _choices(axes: list[_Axis]) -> Iterator[dict[str, Any]]:
    """Yield every combination; the last key varies fastest, and sizes precede dependent keys."""
    ordered = axes if all(axis.by_size is None for axis in axes) else _sizes_first(axes)

    def combinations(number: int, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if number == len(ordered):
            yield chosen
            return
        for value in ordered[number].values_for(chosen):
            yield from combinations(number + 1, chosen | {ordered[number].key: value})

    return combinations(0, {})


def _sizes_first(axes: list[_Axis]) -> list[_Axis]:
    return sorted(axes, key=lambda axis: axis.key != SIZE)


def _count(axes: list[_Axis]) -> str:
    if any(axis.by_size is not None for axis in axes):
        return "more runs"
    return f"{math.prod(len(axis.values) for axis in axes):,} runs"


def _without_sweep(source: SpecSource) -> dict[str, Any]:
    filled = fill_swept(source.tree.value) | {"name": source.spec.name}
    return {key: value for key, value in filled.items() if key != "sweep"}


def _axis(key: str, values: Any) -> _Axis:
    """Return the axis of a key of the grid: a list, or one of two mappings.

    `{times: [...]}` multiplies the result of the learning-rate rule; `{per_batch_size: {...}}` has
    values for every batch size.
    """
    if key == RATE and isinstance(values, dict) and set(values) == {"times"}:
        return _Axis(TIMES, ("sweep", key, "times"), values["times"])
    if key in PER_SIZE and isinstance(values, dict) and set(values) == {"per_batch_size"}:
        return _Axis(key, ("sweep", key, "per_batch_size"), None, values["per_batch_size"])
    return _Axis(key, ("sweep", key), values)


def _size_faults(axes: list[_Axis]) -> Iterator[Fault]:
    """Yield the faults of batch sizes without an entry, and of entries without a batch size."""
    sizes = [label(value) for axis in axes if axis.key == SIZE for value in axis.values_for({})]
    for axis in axes:
        if axis.by_size is None or not isinstance(axis.by_size, dict):
            continue
        if not sizes:
            yield Fault(axis.place, "needs a sweep over batch_size; add batch_size: [...]")
        for size in sizes:
            if size not in axis.by_size:
                yield Fault(axis.place, f"has no entry for batch size {size}; add {size}: ...")
        for size in axis.by_size:
            if sizes and size not in sizes:
                yield Fault((*axis.place, size), f"batch size {size} is not swept; leave it out")


def _list_faults(axis: _Axis) -> Iterator[Fault]:
    values = axis.values if axis.by_size is None else axis.by_size
    if axis.key in NOT_SWEPT:
        message = f"{axis.key} cannot be swept; it does not change a run's numbers"
        yield Fault(axis.place, message)
    elif axis.by_size is not None:
        yield from _faults_by_size(axis)
    elif isinstance(values, dict) and "times" in values:
        yield Fault(axis.place, f"times belongs to {RATE}; write a list")
    elif isinstance(values, dict) and "per_batch_size" in values:
        yield Fault(axis.place, f"per_batch_size belongs to {', '.join(sorted(PER_SIZE))}")
    else:
        yield from _faults_of_list(axis.place, values)


def _faults_by_size(axis: _Axis) -> Iterator[Fault]:
    if not isinstance(axis.by_size, dict) or not axis.by_size:
        message = "must be a mapping of batch sizes, like {1: ..., 16: ..., full: ...}"
        yield Fault(axis.place, f"found {show_value(axis.by_size)}; {message}")
        return
    for size, values in axis.by_size.items():
        place = (*axis.place, size)
        if axis.key == RATE:
            yield from _faults_of_list(place, values)
        elif isinstance(values, list):
            yield Fault(place, f"found a list; {axis.key} has one value for a batch size")


def _faults_of_list(place: Location, values: Any) -> Iterator[Fault]:
    if not isinstance(values, list) or not values:
        message = f"found {show_value(values)}; must be a list of values, like [1, 16]"
        yield Fault(place, message)
    else:
        yield from _equal_values(place, values)


def _equal_values(place: Location, values: list[Any]) -> Iterator[Fault]:
    seen = set()
    for number, value in enumerate(values):
        # True is 1 for Python; in a spec they are different values.
        is_plain = value is None or isinstance(value, str | int | float)
        identity = (isinstance(value, bool), value if is_plain else repr(value))
        if identity in seen:
            message = f"{show_value(value)} is in the list already"
            yield Fault((*place, number), message)
        seen.add(identity)


def _value_faults(base: dict[str, Any], axis: _Axis) -> Iterator[Fault]:
    for place, value in axis.all_values():
        plain = copy.deepcopy(base)
        try:
            set_value(plain, axis.key, copy.deepcopy(value))
            check_spec(Tree(plain), base["name"])
        except SpecError as error:
            for fault in error.faults:
                if fault.at_key:
                    yield Fault(axis.place, fault.message, at_key=True)
                    return
                yield Fault(place, fault.message)


def _single_run(
    source: SpecSource, base: dict[str, Any], axes: list[_Axis], swept: dict[str, Any]
) -> SingleRun:
    plain, places = copy.deepcopy(base), {}
    try:
        for axis in axes:
            value = copy.deepcopy(swept[axis.key])
            places[set_value(plain, axis.key, value)] = axis.place
        return SingleRun(check_spec(Tree(plain), source.spec.name), swept, places)
    except SpecError as error:
        chosen = ", ".join(f"{key}={label(value)}" for key, value in swept.items())
        faults = [
            Fault(("sweep",), f"with {chosen}: {replace(fault, file=None)}")
            for fault in error.faults
        ]
        raise source.tree.locate(SpecError(faults)) from None


def label(value: Any) -> str:
    """Return a swept value as text for run names and tables."""
    if isinstance(value, dict):
        return "-".join(f"{key}={label(inner)}" for key, inner in value.items())
    return "-".join(label(inner) for inner in value) if isinstance(value, list) else str(value)
