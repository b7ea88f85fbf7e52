"""Setting dotted keys in a plain spec: `--set key=value`, and the values of a sweep."""

import re
from collections.abc import Iterable
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.document import yaml_tree
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.schema import BUDGETS
from kerasbatch.spec.short_forms import expand_key
from kerasbatch.text import short_name, show_value

MAX_DIGITS = 9
"""The largest number of digits of a position in a list."""
RATE, AUTO = "optimizer.learning_rate", "auto"
"""The key of the learning rate, and its value where a search finds it."""
SPELLINGS = {"standardise": "standardize"}
"""Accepted spellings of keys, and their standard spelling."""


def respell(tree: Tree) -> None:
    """Rename the keys under `data` to the spelling of Keras and scikit-learn.

    Raises:
        SpecError: if a spec has both spellings.
    """
    data = tree.value.get("data") if isinstance(tree.value, dict) else None
    for other, spelling in SPELLINGS.items():
        if not isinstance(data, dict) or other not in data:
            continue
        if spelling in data:
            message = f"is the same key as {spelling}; keep one of them"
            raise tree.locate(SpecError([Fault(("data", other), message, at_key=True)]))
        data[spelling] = data.pop(other)
        for marks in (tree.keys, tree.values):
            if mark := marks.pop(("data", other), None):
                marks["data", spelling] = mark


def is_auto(value: Any) -> bool:
    """Return whether the value of a learning rate asks for a search: auto, or {auto: ...}."""
    return value == AUTO or (isinstance(value, dict) and AUTO in value)


def move_auto_rate(tree: Tree) -> None:
    """Move `auto` of the optimizer's learning rate into the sweep, which it is short for.

    Raises:
        SpecError: if the sweep has a learning rate, too.
    """
    raw = tree.value if isinstance(tree.value, dict) else {}
    optimizer, sweep = raw.get("optimizer"), raw.get("sweep") or {}
    rate = optimizer.get("learning_rate") if isinstance(optimizer, dict) else None
    if not is_auto(rate) or not isinstance(optimizer, dict) or not isinstance(sweep, dict):
        return
    if RATE in sweep:
        message = f"is {AUTO}, and the sweep has {RATE} already; keep one of them"
        raise tree.locate(SpecError([Fault(("optimizer", "learning_rate"), message)]))
    del optimizer["learning_rate"]
    if not optimizer:  # the rate of a model's own optimizer
        del raw["optimizer"]
    raw["sweep"] = {**sweep, RATE: rate}
    for marks in (tree.keys, tree.values):
        for location, mark in list(marks.items()):
            if location[:2] == ("optimizer", "learning_rate"):
                marks["sweep", RATE, *location[2:]] = mark


def override(tree: Tree, overrides: Iterable[str]) -> None:
    """Apply the `key=value` texts of `--set` to a document.

    Raises:
        SpecError: with a fault for every text that is not an override.
    """
    faults = []
    for text in overrides:
        key, equals, value = text.partition("=")
        try:
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise SpecError([Fault((), "is not UTF-8 text")])
            if not equals or not re.fullmatch(r"[^\s.]+(\.[^\s.]+)*", key):
                raise SpecError([Fault((), "must be key=value, like batch_size=32")])
            if not isinstance(tree.value, dict):
                continue
            parsed = yaml_tree.parse(value)
            location = set_value(tree.value, key, parsed.value)
            tree.overrides[location] = f"--set {short_name(text)}"
            for marks, new in ((tree.keys, parsed.keys), (tree.values, parsed.values)):
                for inner in [inner for inner in marks if _is_inside(inner, location)]:
                    del marks[inner]
                marks |= {(*location, *inner): mark for inner, mark in new.items() if inner}
            tree.values[location] = parsed.values.get((), yaml_tree.Mark(1, 1))
        except SpecError as error:
            faults += [Fault((), f"--set {text}: {fault.message}") for fault in error.faults]
    if faults:
        raise SpecError(faults)


def _is_inside(inner: Location, location: Location) -> bool:
    return len(inner) > len(location) and inner[: len(location)] == location


def set_value(spec: dict[str, Any], key: str, value: Any) -> Location:
    """Set a dotted key in a plain spec, in place; a new budget replaces the old one.

    Args:
        spec: a spec as plain values.
        key: `batch_size`, `optimizer.learning_rate`, `model.layers.1.Dense.units`.
        value: the new value.

    Returns:
        The location of the new value.

    Raises:
        SpecError: if the key leads through a value without keys.
    """
    *path, last = parts = _parts(key)
    if key in BUDGETS:
        for budget in BUDGETS:
            spec.pop(budget, None)
    inner: Any = spec
    for depth, part in enumerate(path):
        if depth == 0 and part in inner:
            inner[part] = expand_key(part, inner[part])
        if isinstance(inner, dict):
            inner.setdefault(part, {})
        inner = _child(inner, part, parts[: depth + 1])
    if not isinstance(inner, dict | list):
        message = f"{'.'.join(path)} is {show_value(inner)} and has no keys inside it"
        raise SpecError([Fault(tuple(parts), message)])
    if isinstance(inner, list):
        _child(inner, last, parts)  # raises an error if there is no such position
        inner[int(last)] = value
    else:
        inner[last] = value
    return _location(parts)


def outer_first(keys: Iterable[str]) -> list[str]:
    """Return dotted keys, each before those inside it, so that setting it loses none of them."""
    return sorted(keys, key=lambda key: key.count("."))


def key_location(key: str) -> Location:
    """Return the location of a dotted key in a spec."""
    return _location(_parts(key))


def _parts(key: str) -> list[str]:
    return [SPELLINGS.get(part, part) for part in key.split(".")]


def _location(parts: list[str]) -> Location:
    return tuple(int(part) if _is_position(part) else part for part in parts)


def _is_position(part: str) -> bool:
    """Return whether a part of a key is a position in a list."""
    return part.isascii() and part.isdecimal() and len(part) <= MAX_DIGITS


def _child(inner: Any, part: str, parts: list[str]) -> Any:
    if isinstance(inner, dict):
        return inner[part]
    if isinstance(inner, list) and _is_position(part) and int(part) < len(inner):
        return inner[int(part)]
    raise SpecError([Fault(tuple(parts), f"there is no {'.'.join(parts)} in the spec")])
