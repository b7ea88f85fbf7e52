"""The axes of a sweep: a key with its values, and the faults of both."""

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.check import check_spec
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.overrides import AUTO, RATE, is_auto, key_location, set_value
from kerasbatch.spec.schema import KEYS, keys_where
from kerasbatch.spec.short_forms import expand_key
from kerasbatch.text import show_value, value_label

NOT_SWEPT = keys_where(lambda key: not key.swept)
TIMES, SIZE = "learning_rate_rule.times", "batch_size"
PER_SIZE = frozenset({RATE, *keys_where(lambda key: key.per_batch_size)})
"""Keys that may have a value per batch size."""


@dataclass(frozen=True)
class Axis:
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

    @property
    def location(self) -> Location:
        """The place of its key in the spec of a run."""
        return key_location(self.key)

    def values_for(self, chosen: Mapping[str, Any]) -> list[Any]:
        """Return the values that belong to the chosen values of other keys."""
        values = self.values if self.by_size is None else self.by_size[value_label(chosen[SIZE])]
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


def per_size_keys(grid: Mapping[str, Any]) -> list[str]:
    """Return the swept keys that have values for every batch size."""
    return [key for key, values in grid.items() if _is_per_size(values)]


def _is_per_size(values: Any) -> bool:
    return isinstance(values, dict) and set(values) == {"per_batch_size"}


def axis_of(key: str, values: Any) -> Axis:
    """Return the axis of a key of the grid: a list, `auto`, or one of two mappings.

    `{times: [...]}` multiplies the result of the learning-rate rule; `{per_batch_size: {...}}` has
    values for every batch size.
    """
    if key == RATE and is_auto(values):
        return Axis(key, ("sweep", key), [AUTO])
    if key == RATE and isinstance(values, dict) and set(values) == {"times"}:
        return Axis(TIMES, ("sweep", key, "times"), values["times"])
    if key in PER_SIZE and _is_per_size(values):
        return Axis(key, ("sweep", key, "per_batch_size"), None, values["per_batch_size"])
    return Axis(key, ("sweep", key), values)


def grid_faults(axes: Sequence[Axis]) -> Iterator[Fault]:
    """Yield the faults of a grid that do not depend on the rest of the spec."""
    yield from _size_faults(axes)
    faults = [fault for axis in axes for fault in _list_faults(axis)]
    yield from faults or _overwritten_keys(axes)


def value_faults(base: dict[str, Any], axes: Sequence[Axis]) -> Iterator[Fault]:
    """Yield the faults of values that their key does not allow, of axes that are lists.

    Args:
        base: the spec without its sweep, as plain values.
        axes: the axes of the grid.
    """
    for axis in axes:
        if not any(_list_faults(axis)):
            yield from _faults_of_values(base, axis)


def _overwritten_keys(axes: Sequence[Axis]) -> Iterator[Fault]:
    """Yield the faults of keys that two axes set, so that one of the values is never used.

    A grid may sweep a key and a key inside it, such as `optimizer` and `optimizer.learning_rate`:
    the outer key is set first.
    """
    yield from overwritten_by(axes, axes)


def overwritten_by(outer_axes: Sequence[Axis], inner_axes: Sequence[Axis]) -> Iterator[Fault]:
    """Yield the faults of values of outer axes that set the key of an inner axis."""
    for outer, inner in itertools.product(outer_axes, inner_axes):
        if outer is inner:
            continue
        depth = len(outer.location)
        if inner.location[:depth] != outer.location:
            continue
        for place, value in outer.all_values():
            long_form = expand_key(str(outer.location[0]), value) if depth == 1 else value
            if _has_location(long_form, inner.location[depth:]):
                message = f"{show_value(value)} sets {inner.key}, an axis of its own; keep one"
                yield Fault(place, message)


def _has_location(value: Any, location: Location) -> bool:
    for part in location:
        is_inside = isinstance(value, dict) or (isinstance(value, list) and isinstance(part, int))
        if not is_inside or part not in (value if isinstance(value, dict) else range(len(value))):
            return False
        value = value[part]
    return True


def _size_faults(axes: Sequence[Axis]) -> Iterator[Fault]:
    """Yield the faults of batch sizes without an entry, and of entries without a batch size."""
    sizes = [
        value_label(value) for axis in axes if axis.key == SIZE for value in axis.values_for({})
    ]
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


def _list_faults(axis: Axis) -> Iterator[Fault]:
    values = axis.values if axis.by_size is None else axis.by_size
    if axis.location[0] in NOT_SWEPT:
        name = axis.location[0]
        why = "it does not change a run's numbers"
        if KEYS[name].identity:
            why = "all runs of a sweep share it; write a spec for each"
        message = f"{name} cannot be swept; {why}"
        yield Fault(axis.place, message)
    elif axis.by_size is not None:
        yield from _faults_by_size(axis)
    elif isinstance(values, dict) and "times" in values:
        yield Fault(axis.place, f"times belongs to {RATE}; write a list")
    elif isinstance(values, dict) and "per_batch_size" in values:
        yield Fault(axis.place, f"per_batch_size belongs to {', '.join(sorted(PER_SIZE))}")
    else:
        yield from _faults_of_list(axis.place, values)


def _faults_by_size(axis: Axis) -> Iterator[Fault]:
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


def _faults_of_values(base: dict[str, Any], axis: Axis) -> Iterator[Fault]:
    for place, value in axis.all_values():
        if axis.key == RATE and value == AUTO:
            continue  # auto_rate.faults covers it
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
