"""One spec -> the single-run specs that it stands for. Runs nothing."""

import contextlib
import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec import keras_names
from kerasbatch.spec.check import check, fill_swept
from kerasbatch.spec.keys import BUDGETS, Spec
from kerasbatch.spec.overrides import set_value
from kerasbatch.spec.specfile import Source
from kerasbatch.spec.yaml_tree import Tree

MAX_RUNS = 10_000
# Keys that describe the experiment or do not change a run's numbers.
NOT_SWEPT = frozenset({"name", "question", "engine", "sweep"})
RATE, TIMES = "optimizer.learning_rate", "learning_rate_rule.times"


@dataclass(frozen=True)
class SingleRun:
    """One run of a sweep.

    Args:
        spec: its spec, without a sweep.
        swept: the dotted keys that the sweep sets, and this run's values; empty without a sweep.
        places: where in the grid the values of swept locations come from.
    """

    spec: Spec
    swept: Mapping[str, Any]
    places: Mapping[Location, Location] = field(default_factory=dict)

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Move faults of swept keys to the grid, where their values come from."""
        try:
            yield
        except SpecError as error:
            moved = (
                replace(fault, location=self.places.get(fault.location, fault.location))
                for fault in error.faults
            )
            raise error.with_faults(moved) from error.__cause__


@dataclass(frozen=True)
class _Axis:
    """One key of the grid: the dotted key that it sets, where its list stands, and its values."""

    key: str
    place: Location
    values: list[Any]


def expand(source: Source) -> tuple[SingleRun, ...]:
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
    for axis in axes:
        in_list = list(_list_faults(axis))
        faults += in_list or _value_faults(base, axis)
    runs = math.prod(len(axis.values) for axis in axes) if not faults else 0
    if runs > MAX_RUNS:
        faults.append(Fault(("sweep",), f"makes {runs:,} runs, more than {MAX_RUNS:,}"))
    if faults:
        raise source.tree.locate(SpecError(faults))
    choices = itertools.product(*(axis.values for axis in axes))
    return tuple(_single(source, base, axes, choice) for choice in choices)


def _without_sweep(source: Source) -> dict[str, Any]:
    filled = fill_swept(source.tree.value) | {"name": source.spec.name}
    return {key: value for key, value in filled.items() if key != "sweep"}


def _axis(key: str, values: Any) -> _Axis:
    """Read one key of the grid; `{times: [...]}` multiplies what the learning-rate rule gives."""
    if key == RATE and isinstance(values, dict) and set(values) == {"times"}:
        return _Axis(TIMES, ("sweep", key, "times"), values["times"])
    return _Axis(key, ("sweep", key), values)


def _list_faults(axis: _Axis) -> Iterator[Fault]:
    values = axis.values
    if axis.key in NOT_SWEPT:
        message = f"{axis.key} cannot be swept; it does not change a run's numbers"
        yield Fault(axis.place, message)
    elif isinstance(values, dict) and "times" in values:
        yield Fault(axis.place, f"times belongs to {RATE}; write a list")
    elif not isinstance(values, list) or not values:
        message = f"found {keras_names.show(values)}; must be a list of values, like [1, 16]"
        yield Fault(axis.place, message)
    else:
        yield from _equal_values(axis)


def _equal_values(axis: _Axis) -> Iterator[Fault]:
    seen = set()
    for number, value in enumerate(axis.values):
        # True is 1 for Python; in a spec they are different values.
        same = (isinstance(value, bool), value if _is_plain(value) else repr(value))
        if same in seen:
            message = f"{keras_names.show(value)} is in the list already"
            yield Fault((*axis.place, number), message)
        seen.add(same)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _value_faults(base: dict[str, Any], axis: _Axis) -> Iterator[Fault]:
    for number, value in enumerate(axis.values):
        plain = copy.deepcopy(base)
        try:
            set_value(plain, axis.key, copy.deepcopy(value))
            check(Tree(plain), base["name"])
        except SpecError as error:
            for fault in error.faults:
                if fault.at_key:
                    yield Fault(axis.place, fault.message, at_key=True)
                    return
                yield Fault((*axis.place, number), fault.message)


def _single(
    source: Source, base: dict[str, Any], axes: list[_Axis], choice: tuple[Any, ...]
) -> SingleRun:
    plain, places = copy.deepcopy(base), {}
    swept = dict(zip((axis.key for axis in axes), choice, strict=True))
    try:
        for axis, value in zip(axes, choice, strict=True):
            places[set_value(plain, axis.key, copy.deepcopy(value))] = axis.place
        return SingleRun(check(Tree(plain), source.spec.name), swept, places)
    except SpecError as error:
        chosen = ", ".join(f"{key}={label(value)}" for key, value in swept.items())
        faults = [
            Fault(("sweep",), f"with {chosen}: {replace(fault, file=None)}")
            for fault in error.faults
        ]
        raise source.tree.locate(SpecError(faults)) from None


def label(value: Any) -> str:
    """Write a swept value the way run names and tables show it."""
    if isinstance(value, dict):
        return "-".join(f"{key}={label(inner)}" for key, inner in value.items())
    return "-".join(label(inner) for inner in value) if isinstance(value, list) else str(value)
