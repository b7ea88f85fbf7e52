"""One spec -> the single-run specs that it stands for. Runs nothing."""

import contextlib
import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError, dotted
from kerasbatch.spec import keras_names, specfile
from kerasbatch.spec.keys import BUDGETS, Spec
from kerasbatch.spec.yaml_tree import Tree

MAX_RUNS = 10_000
# Keys that describe the experiment or do not change a run's numbers.
NOT_SWEPT = frozenset({"name", "question", "engine", "sweep"})


@dataclass(frozen=True)
class SingleRun:
    """One run of a sweep.

    Args:
        spec: its spec, without a sweep.
        swept: the swept keys and this run's values; empty for a spec without a sweep.
    """

    spec: Spec
    swept: Mapping[str, Any]

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Move faults of swept keys to the grid, where their values come from."""
        try:
            yield
        except SpecError as error:
            faults = [
                replace(fault, location=("sweep", key))
                if (key := dotted(fault.location)) in self.swept
                else fault
                for fault in error.faults
            ]
            raise type(error)(faults) from error.__cause__


def expand(source: specfile.Source) -> tuple[SingleRun, ...]:
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
    for key, values in grid.items():
        in_list = list(_list_faults(key, values))
        faults += in_list or _value_faults(source, key, values)
    runs = math.prod(len(_values(values)) for values in grid.values()) if not faults else 0
    if runs > MAX_RUNS:
        faults.append(Fault(("sweep",), f"makes {runs:,} runs, more than {MAX_RUNS:,}"))
    if faults:
        raise source.tree.locate(SpecError(faults))
    choices = [[(key, value) for value in _choices(values)] for key, values in grid.items()]
    return tuple(_single(source, dict(choice)) for choice in itertools.product(*choices))


def _single(source: specfile.Source, swept: dict[str, Any]) -> SingleRun:
    plain = _without_sweep(source)
    try:
        for key, value in swept.items():
            _set(plain, key, value)
        return SingleRun(specfile.check(Tree(plain), source.spec.name), swept)
    except SpecError as error:
        chosen = ", ".join(f"{key}={label(value)}" for key, value in swept.items())
        faults = [
            Fault(("sweep",), f"with {chosen}: {replace(fault, file=None)}")
            for fault in error.faults
        ]
        raise source.tree.locate(SpecError(faults)) from None


def _without_sweep(source: specfile.Source) -> dict[str, Any]:
    plain: dict[str, Any] = copy.deepcopy(specfile.fill_swept(source.tree.value))
    del plain["sweep"]
    return plain


def _values(values: Any) -> list[Any]:
    return values["times"] if isinstance(values, dict) else values  # type: ignore[no-any-return]


def _choices(values: Any) -> list[Any]:
    times = isinstance(values, dict)
    return [{"times": value} if times else value for value in _values(values)]


def _set(plain: dict[str, Any], key: str, value: Any) -> None:
    if isinstance(value, dict) and set(value) == {"times"}:
        key, value = "learning_rate_rule.times", value["times"]
    specfile.set_value(plain, key, copy.deepcopy(value))


def _list_faults(key: str, values: Any) -> Iterator[Fault]:
    location: Location = ("sweep", key)
    if key in NOT_SWEPT:
        yield Fault(location, f"{key} cannot be swept; it does not change a run's numbers")
        return
    if isinstance(values, dict) and set(values) == {"times"}:
        if key != "optimizer.learning_rate":
            yield Fault(location, "times belongs to optimizer.learning_rate; write a list")
            return
        location, values = (*location, "times"), values["times"]
    if not isinstance(values, list) or not values:
        message = f"found {keras_names.show(values)}; must be a list of values, like [1, 16]"
        yield Fault(location, message)
        return
    for number, value in enumerate(values):
        same = [other for other in values[:number] if value == other]
        if any(isinstance(value, bool) == isinstance(other, bool) for other in same):
            yield Fault((*location, number), f"{keras_names.show(value)} is in the list already")


def _value_faults(source: specfile.Source, key: str, values: Any) -> Iterator[Fault]:
    below: Location = ("times",) if isinstance(values, dict) else ()
    for number, value in enumerate(_choices(values)):
        location: Location = ("sweep", key, *below, number)
        plain = _without_sweep(source)
        try:
            _set(plain, key, value)
            specfile.check(Tree(plain), source.spec.name)
        except SpecError as error:
            for fault in error.faults:
                unknown = specfile.is_about_its_key(fault)
                yield Fault(("sweep", key) if unknown else location, fault.message)
                if unknown:
                    return


def label(value: Any) -> str:
    """Write a swept value the way run names and tables show it."""
    if isinstance(value, dict) and set(value) == {"times"}:
        return f"x{value['times']}"
    if isinstance(value, dict):
        return "-".join(f"{key}={label(inner)}" for key, inner in value.items())
    return "-".join(label(inner) for inner in value) if isinstance(value, list) else str(value)
