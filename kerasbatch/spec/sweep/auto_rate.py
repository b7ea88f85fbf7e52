"""`auto`: the learning rate that a search finds at every batch size.

`optimizer.learning_rate: auto` of a sweep, or `{auto: {start: 0.01, factor: 2, at_most: 8}}`; under
`optimizer` it is short for the same in the sweep.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kerasbatch.errors import Fault
from kerasbatch.spec import keras_registry
from kerasbatch.spec.learning_rate import rate_growth
from kerasbatch.spec.overrides import AUTO, RATE, is_auto
from kerasbatch.spec.schema import Spec
from kerasbatch.text import show_value

MIN_FACTOR, MAX_FACTOR, MAX_RATES = 1.01, 100, 100


@dataclass(frozen=True)
class AutoRate:
    """The search for the learning rate of a spec.

    Args:
        start: the rate to start from, at the batch size of the spec.
        factor: the factor between two rates.
        at_most: the largest number of rates beyond the first three, on each side.
        is_carried: whether the optimizer's rule carries the start to other batch sizes.
    """

    start: float
    factor: float
    at_most: int
    is_carried: bool


def auto_rate_of(spec: Spec, run: Spec | None = None) -> AutoRate | None:
    """Return the search for the learning rate of a checked spec; None without one.

    Args:
        spec: the spec with the sweep.
        run: a run of the sweep, whose optimizer may be swept; None for that of the spec.
    """
    values = (spec.sweep or {}).get(RATE)
    if not is_auto(values):
        return None
    options = values[AUTO] if isinstance(values, dict) else {}
    optimizer = (run or spec).optimizer
    name, own = optimizer.name, optimizer.arguments.get("learning_rate")
    start = options.get("start", own)
    if start is None:
        start = keras_registry.default_learning_rate(name) or math.nan  # a fault of the spec
    has_rule = (run or spec).learning_rate_rule.rule != "none"
    return AutoRate(
        start=float(start),
        factor=float(options.get("factor", 2)),
        at_most=int(options.get("at_most", 8)),
        is_carried=not has_rule and rate_growth(name, 2) is not None,
    )


def faults(spec: Spec) -> Iterator[Fault]:
    """Yield the faults of the search for a learning rate."""
    values, place = (spec.sweep or {}).get(RATE), ("sweep", RATE)
    if isinstance(values, list) and AUTO in values:
        yield Fault((*place, values.index(AUTO)), "auto stands alone, without a list; write auto")
    lists = values.get("per_batch_size") if isinstance(values, dict) else None
    for size, rates in (lists or {}).items() if isinstance(lists, dict) else ():
        if isinstance(rates, list) and AUTO in rates:
            message = f"auto finds the rate of every size by itself; write {RATE}: auto"
            yield Fault((*place, "per_batch_size", size), message)
    if not is_auto(values):
        return
    options = values[AUTO] if isinstance(values, dict) else {}
    if isinstance(values, dict) and len(values) > 1:
        other = next(key for key in values if key != AUTO)
        yield Fault(
            (*place, other), f"auto finds the rate of every size by itself; leave {other} out"
        )
    if not isinstance(options, dict):
        message = "must be a mapping, like {start: 0.01, factor: 2, at_most: 8}"
        yield Fault((*place, AUTO), f"found {show_value(options)}; {message}")
        return
    yield from _option_faults(options, (*place, AUTO))
    yield from _start_faults(spec, options, place)
    if "learning_rate_rule.times" in (spec.sweep or {}):
        message = "times multiplies the rate that auto searches; leave one of them out"
        yield Fault(("sweep", "learning_rate_rule.times"), message)
    if spec.search is not None:
        yield Fault(("search",), "a sweep has one search; leave out auto, or search")


def _option_faults(options: dict[str, Any], place: tuple[str, ...]) -> Iterator[Fault]:
    legal: dict[str, tuple[Callable[[Any], bool], str]] = {
        "start": (lambda value: value > 0, "a number above 0"),
        "factor": (
            lambda value: MIN_FACTOR <= value <= MAX_FACTOR,
            f"a number from {MIN_FACTOR} to {MAX_FACTOR}",
        ),
        "at_most": (
            lambda value: isinstance(value, int) and 0 <= value <= MAX_RATES,
            f"a whole number, 0 to {MAX_RATES}",
        ),
    }
    for key, value in options.items():
        if key not in legal:
            message = f"unknown key; the keys here are {', '.join(legal)}"
            yield Fault((*place, key), message, at_key=True)
            continue
        is_legal, text = legal[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not is_legal(value):
            yield Fault((*place, key), f"found {show_value(value)}; must be {text}")


def _start_faults(spec: Spec, options: dict[str, Any], place: tuple[str, ...]) -> Iterator[Fault]:
    name, own = spec.optimizer.name, spec.optimizer.arguments.get("learning_rate")
    if isinstance(own, dict):
        message = "auto searches a number, and this spec has a schedule; write a number, or leave "
        yield Fault(("optimizer", "learning_rate"), message + "learning_rate out")
    elif (
        keras_registry.default_learning_rate(name) is None
        and own is None
        and "start" not in options
    ):
        message = (
            "the rate of an optimizer of own code is not known beforehand; write a start, like"
        )
        yield Fault(place, f"{message} {{auto: {{start: 0.001}}}}")
    elif own is not None and "start" in options:
        message = f"auto starts at {show_value(options['start'])}; keep one of them"
        yield Fault(("optimizer", "learning_rate"), message)
    elif own is None and "start" not in options and rate_growth(name, 2) is None:
        message = f"no rule says how the rate of {name} follows the batch size; write a start, like"
        yield Fault(place, f"{message} {{auto: {{start: 0.01}}}}")
