"""The plain values of a spec -> a checked spec; every fault in our words, at its place."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec import keras_names, rules
from kerasbatch.spec.keys import BUDGETS, Spec, legal_keys
from kerasbatch.spec.yaml_tree import Tree

# Harmless values for keys that are missing or wrong, so that the rest can still be checked.
_PLACEHOLDERS: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": "adam",
    "loss": "mse",
    "batch_size": 1,
}


def check(tree: Tree, default_name: str) -> Spec:
    """Check the plain values of a spec and return the spec.

    Raises:
        SpecError: with every fault, each at its place in the tree.
    """
    raw = tree.value
    if not isinstance(raw, dict):
        message = (
            f"found {keras_names.show(raw)}; a spec is a mapping with keys such as data and model"
        )
        raise SpecError([Fault((), message, tree.file)])
    raw = {"name": default_name} | fill_swept(raw)
    certain = [*_null_faults(raw), *rules.names_and_arguments(raw)]
    known = {fault.location for fault in certain}
    spec, found = None, list(certain)
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        details = [_translate(each, tree) for each in error.errors(include_url=False)]
        found += [fault for fault in details if fault and fault.location not in known]
    wrong = frozenset(str(fault.location[0]) for fault in found if fault.location)
    healthy = spec or Spec.model_validate(_healthy(raw, wrong))
    found += rules.check(healthy, wrong)
    if found or spec is None:
        faults = [tree.place(fault) for fault in found]
        raise SpecError(sorted(faults, key=lambda f: (f.line or 0, f.column or 0)))
    return spec


def fill_swept(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a plain spec in which required keys that only the sweep gives hold a placeholder."""
    grid = raw.get("sweep")
    swept = {key.split(".")[0] for key in grid} if isinstance(grid, dict) else set()
    filled = {key: value for key, value in _PLACEHOLDERS.items() if key in swept}
    if swept & set(BUDGETS) and not raw.keys() & set(BUDGETS):
        filled["epochs"] = 1
    return filled | raw


def _healthy(raw: dict[str, Any], wrong: frozenset[str]) -> dict[str, Any]:
    rest = {key: value for key, value in raw.items() if key not in wrong}
    if not rest.keys() & set(BUDGETS) and wrong & set(BUDGETS):
        rest["epochs"] = 1
    return _PLACEHOLDERS | rest


def _null_faults(raw: dict[str, Any]) -> list[Fault]:
    """Find keys with nothing behind them: a forgotten value, never a default."""
    locations: list[Location] = [(key,) for key in raw]
    for key in ("data", "validation", "evaluate_every", "target", "learning_rate_rule"):
        if isinstance(raw.get(key), dict):
            locations += [(key, inner) for inner in raw[key]]
    if isinstance(raw.get("optimizer"), dict) and "learning_rate" in raw["optimizer"]:
        locations.append(("optimizer", "learning_rate"))
    empty = [location for location in locations if _at(raw, location) is None]
    return [Fault(location, _empty_words(str(location[-1]))) for location in empty]


def _empty_words(key: str) -> str:
    name, colon, value = key.partition(":")
    if colon:
        return f"found no value; put a blank after the colon, {name}: {value}"
    return "found nothing (null); write a value, or leave the key out"


def _at(raw: Any, location: Location) -> Any:
    for part in location:
        raw = raw[part]
    return raw


def _translate(details: Mapping[str, Any], tree: Tree) -> Fault | None:
    """Turn one of pydantic's errors into a fault in our words; None if another one says it."""
    location = tuple(p for p in details["loc"] if not (isinstance(p, str) and p.startswith("<")))
    kind, value = details["type"], details["input"]
    if kind == "missing":
        siblings = [key for key in value if key not in Spec.model_fields]
        if len(location) == 1 and keras_names.nearest(str(location[-1]), siblings):
            return None  # it is there, misspelt; the unknown key says so
        return Fault(location, f"is missing; add {location[-1]}: ...")
    if kind == "extra_forbidden":
        legal = legal_keys(details["loc"][:-1])
        hint = keras_names.nearest(str(location[-1]), legal)
        message = f"unknown key{hint or '; the keys here are ' + ', '.join(legal)}"
        return Fault(location, message, at_key=True)
    mark = tree.found(location)
    found = keras_names.shorten(mark.text) if mark and mark.text else keras_names.show(value)
    must = details.get("ctx", {}).get("be") or _mapping_words(kind, details)
    return Fault(location, f"found {found}; must be {must}{_hint(value, must)}")


def _hint(value: Any, must: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value):
        return f"; write {value} without quotes"
    if isinstance(value, float) and value.is_integer() and 0 < value < 1e15:
        return f"; write {int(value)}"
    words = re.findall(r"[a-z0-9_]+", must)
    if must.startswith("a list") and value in words:
        return f"; write [{value}]"
    return keras_names.nearest(value, words) if isinstance(value, str) else ""


def _mapping_words(kind: str, details: Mapping[str, Any]) -> str:
    if kind in ("model_type", "dict_type"):
        return "a mapping, like {key: value}"
    if kind in ("tuple_type", "list_type"):
        return "a list, like [...]"
    return str(details["msg"]).lower()
