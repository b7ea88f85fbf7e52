"""`search`: quasi-random trials over ranges of keys, the same at every batch size.

    search: {trials: 32, optimizer.learning_rate: {log: [0.001, 10]},
             optimizer.momentum: {one_minus_log: [0.001, 1]}}

As in Shallue et al. 2018 (arXiv 1811.03600), the trials are quasi-random: scrambled Sobol points.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.overrides import RATE, key_location
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.axis import NOT_SWEPT, SIZE, TIMES
from kerasbatch.text import show_value

TRIALS = "trials"
MAX_TRIALS = 10_000
DIGITS = 7
"""The significant digits of a value."""
POINTS_SEED = 20_180_211
SCALES = ("linear", "log", "one_minus_log", "times_log")
FORM = "a range on one of the scales linear, log, one_minus_log, times_log, like {log: [0.001, 10]}"


def trials(search: Mapping[str, Any] | None) -> list[dict[str, float]]:
    """Return the values of every trial by their dotted keys; one empty trial without a search.

    Args:
        search: the checked value of the key `search`.
    """
    if search is None:
        return [{}]
    from scipy.stats import qmc

    ranges = {key: next(iter(part.items())) for key, part in search.items() if key != TRIALS}
    sampler = qmc.Sobol(len(ranges), scramble=True, rng=POINTS_SEED)
    # A power of two keeps the balance of the points; the first ones of it are the trials.
    points = sampler.random_base2(math.ceil(math.log2(search[TRIALS])))[: search[TRIALS]]
    return [
        {
            searched_key(key, scale): _value(scale, float(bounds[0]), float(bounds[1]), float(u))
            for (key, (scale, bounds)), u in zip(ranges.items(), point, strict=True)
        }
        for point in points
    ]


def ranges_of(search: Mapping[str, Any] | None) -> dict[str, tuple[str, Sequence[float]]]:
    """Return the scale and the bounds of every searched key.

    Args:
        search: the checked value of the key `search`; None without a search.
    """
    parts = {key: next(iter(part.items())) for key, part in (search or {}).items() if key != TRIALS}
    return {searched_key(key, scale): (scale, bounds) for key, (scale, bounds) in parts.items()}


def searched_key(key: str, scale: str) -> str:
    """Return the key that a range sets: times_log of the learning rate sets the rule's factor."""
    return TIMES if (key, scale) == (RATE, "times_log") else key


def position(scale: str, bounds: Sequence[float], value: float) -> float:
    """Return the place of a value in its range, from 0 at its low end to 1 at its high end."""
    # The range of one_minus_log is that of 1 - value; its low end is the value nearest to 1.
    number = 1 - value if scale == "one_minus_log" else value
    low, high, at = (_on_scale(scale, each) for each in (*bounds, number))
    return (at - low) / (high - low)


def _on_scale(scale: str, value: float) -> float:
    if scale == "linear":
        return value
    return math.log(value)


def _value(scale: str, low: float, high: float, u: float) -> float:
    if scale == "linear":
        return _rounded(low + u * (high - low))
    number = low * (high / low) ** u
    # Rounded again: 1 - 0.2839325 is 0.7160675000000001 in binary.
    return round(1 - _rounded(number), 12) if scale == "one_minus_log" else _rounded(number)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def faults(spec: Spec) -> Iterator[Fault]:
    """Yield the faults of a search."""
    search = spec.search
    if search is None:
        return
    number = search.get(TRIALS)
    if TRIALS not in search:
        yield Fault(("search",), "trials is missing; add trials: 32")
    elif not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_TRIALS:
        message = f"found {show_value(number)}; must be a whole number, 1 to {MAX_TRIALS:,}"
        yield Fault(("search", TRIALS), message)
    if set(search) <= {TRIALS}:
        yield Fault(("search",), f"has no key to search; add {RATE}: {{log: [0.001, 10]}}")
    for key in search:
        if key != TRIALS:
            yield from _key_faults(spec, key, search[key])


def _key_faults(spec: Spec, key: str, part: Any) -> Iterator[Fault]:
    place: Location = ("search", key)
    try:
        first = key_location(key)[0]
    except SpecError as error:
        yield Fault(place, error.faults[0].message)
        return
    if first in (*NOT_SWEPT, SIZE, "seed"):
        yield Fault(place, f"{key} cannot be searched; sweep it, or leave it out", at_key=True)
        return
    if not isinstance(part, dict) or len(part) != 1 or next(iter(part)) not in SCALES:
        yield Fault(place, f"found {show_value(part)}; must be {FORM}")
        return
    scale, bounds = next(iter(part.items()))
    if scale == "times_log" and key != RATE:
        yield Fault((*place, scale), f"times_log belongs to {RATE}; write log")
    elif scale == "times_log" and TIMES in (spec.search or {}):
        yield Fault((*place, scale), f"sets {TIMES}, a range of its own; keep one of them")
    elif scale == "times_log" and spec.learning_rate_rule.rule == "none":
        message = "multiplies the rate that a rule gives; add learning_rate_rule: linear, or sqrt"
        yield Fault((*place, scale), message)
    if {key, searched_key(key, scale)} & set(spec.sweep or {}):
        yield Fault(place, f"the sweep has {key} already; keep one of them", at_key=True)
    if problem := _bounds_problem(scale, bounds):
        yield Fault((*place, scale), f"found {show_value(bounds)}; {problem}")


def _bounds_problem(scale: str, bounds: Any) -> str | None:
    numbers = bounds if isinstance(bounds, list) else []
    is_pair = len(numbers) == 2 and all(
        isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    )
    if not is_pair:
        return "must be two numbers, like [0.001, 10]"
    if numbers[0] >= numbers[1]:
        return "the first must be the smaller one"
    if scale != "linear" and numbers[0] <= 0:
        return f"both must be above 0 on the scale {scale}"
    if scale == "one_minus_log" and numbers[1] > 1:
        return "1 minus the value is at most 1"
    return None
