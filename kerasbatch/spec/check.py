"""Checks the plain values of a spec; reports all faults at once, with their places."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.fields import KIND, StrictModel
from kerasbatch.spec.own_code import is_own_code
from kerasbatch.spec.rules.check_rules import check_rules
from kerasbatch.spec.rules.names import names_and_arguments
from kerasbatch.spec.schema import BUDGETS, COMPILE_PARTS, KEYS, SWEEPING, Spec
from kerasbatch.spec.short_forms import expand, kinds_of, models_of
from kerasbatch.text import short_name, show_value, suggestion

PLACEHOLDERS = {name: key.placeholder for name, key in KEYS.items() if key.placeholder is not None}
"""Harmless values for missing or wrong keys, so that the other keys can be checked."""
NULL = "found nothing (null); write a value, or leave the key out"


def check_spec(tree: Tree, default_name: str) -> Spec:
    """Check the plain values of a spec and return the spec.

    Raises:
        SpecError: with every fault at its place in the tree.
    """
    raw = tree.value
    if not isinstance(raw, dict):
        message = f"found {show_value(raw)}; a spec is a mapping with keys such as data and model"
        raise SpecError([Fault((), message, tree.file)])
    raw = {"name": default_name} | fill_swept(raw)
    named = list(names_and_arguments(raw))
    covered = {fault.location for fault in named}
    empty = [fault for fault in _null_faults(raw) if fault.location not in covered]
    faults = [*empty, *_kind_faults(raw), *named]
    spec = None
    try:
        spec = Spec.model_validate(expand(raw))
    except ValidationError as error:
        reported = {fault.location for fault in faults}
        translated = [_translate(detail, raw, tree) for detail in error.errors(include_url=False)]
        faults += [fault for fault in translated if fault and fault.location not in reported]
    wrong = frozenset(str(fault.location[0]) for fault in faults if fault.location)
    healthy = spec or Spec.model_validate(expand(_without(raw, wrong)))
    faults += check_rules(healthy, wrong)
    if faults or spec is None:
        placed = [tree.place(fault) for fault in faults]
        raise SpecError(sorted(placed, key=lambda fault: (fault.line or 0, fault.column or 0)))
    return spec


def fill_swept(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a plain spec with placeholders for required keys that only the sweep sets."""
    grids = [grid for key in SWEEPING if isinstance(grid := raw.get(key), dict)]
    keys = [key for grid in grids for key in grid]
    swept = {key.split(".")[0] for key in keys}
    filled = {key: value for key, value in PLACEHOLDERS.items() if key in swept}
    if is_own_code(raw.get("model")):  # it may have an optimizer, of which the rate is swept
        filled = {
            key: value for key, value in filled.items() if key not in COMPILE_PARTS or key in keys
        }
    if swept & set(BUDGETS) and not raw.keys() & set(BUDGETS):
        filled[BUDGETS[0]] = 1
    return filled | raw


def _without(raw: dict[str, Any], wrong: frozenset[str]) -> dict[str, Any]:
    """Return a plain spec with placeholders for its wrong keys."""
    rest = {key: value for key, value in raw.items() if key not in wrong}
    if not rest.keys() & set(BUDGETS) and wrong & set(BUDGETS):
        rest[BUDGETS[0]] = 1
    return PLACEHOLDERS | rest


def _null_faults(raw: dict[str, Any]) -> list[Fault]:
    """Return a fault for every key without a value; a missing value is never a default."""
    locations: list[Location] = [(key,) for key in raw]
    for key in _mappings():
        if isinstance(raw.get(key), dict):
            locations += [(key, inner) for inner in raw[key]]
    if isinstance(raw.get("optimizer"), dict) and "learning_rate" in raw["optimizer"]:
        locations.append(("optimizer", "learning_rate"))
    empty = [location for location in locations if _value_at(raw, location) is None]
    return [Fault(location, _null_message(str(location[-1]))) for location in empty]


@functools.cache
def _mappings() -> tuple[str, ...]:
    """Return the keys whose values are mappings of our own keys."""
    return tuple(
        name
        for name, field in Spec.model_fields.items()
        if any(issubclass(model, StrictModel) for model in models_of(field.annotation))
    )


def _kind_faults(raw: dict[str, Any]) -> list[Fault]:
    """Return a fault for every `kind` in a spec; it is derived from the other keys."""
    faults = []
    for name in KEYS:
        if isinstance(raw.get(name), dict) and KIND in raw[name] and (kinds := kinds_of(name)):
            message = f"unknown key; the first of {', '.join(kinds)} that is here decides"
            faults.append(Fault((name, KIND), message, at_key=True))
    return faults


def _null_message(key: str) -> str:
    name, colon, value = key.partition(":")
    if colon:
        return f"found no value; put a blank after the colon, {name}: {value}"
    return NULL


def _value_at(raw: Any, location: Location) -> Any:
    for part in location:
        raw = raw[part]
    return raw


def _translate(details: Mapping[str, Any], raw: dict[str, Any], tree: Tree) -> Fault | None:
    """Return a pydantic error as a fault in our words; None if another fault covers it."""
    location = _written_location(details["loc"], raw)
    if details["type"] == "union_tag_invalid" and isinstance(_as_written(raw, location, 0), dict):
        return None  # the fault of a written `kind` covers it
    if details["type"] == "missing":
        siblings = [key for key in details["input"] if key not in Spec.model_fields]
        if len(location) == 1 and suggestion(str(location[-1]), siblings):
            return None  # it is misspelt; the fault of the unknown key covers it
        return Fault(location, f"is missing; add {location[-1]}: ...")
    if details["type"] == "extra_forbidden":
        legal = [key for key in _model_at(details["loc"][:-1]).model_fields if key != KIND]
        hint = suggestion(str(location[-1]), legal) or _kinds_hint(location, raw)
        message = f"unknown key{hint or '; the keys here are ' + ', '.join(legal)}"
        return Fault(location, message, at_key=True)
    mark, value = tree.mark_of(location), _as_written(raw, location, details["input"])
    shown = short_name(mark.text) if mark and mark.text else show_value(value)
    expected = _expected(details, location)
    return Fault(location, f"found {shown}; must be {expected}{_hint(value, expected)}")


def _kinds_hint(location: Location, raw: dict[str, Any]) -> str:
    """Return the forms of a key whose value has the key of none of them, or an empty text."""
    key, forms = str(location[0]), kinds_of(str(location[0]))
    written = raw.get(key)
    if len(location) != 2 or not forms or not isinstance(written, dict) or written.keys() & forms:
        return ""
    hint = suggestion(str(location[-1]), list(forms))
    listed = ", ".join(form for form in forms if form != "object")
    return hint or f"; {key} is one of {listed}"


def _written_location(location: Location, raw: dict[str, Any]) -> Location:
    """Return the location in the spec as written: without kinds and keys of short forms."""
    if location and kinds_of(str(location[0])) and len(location) > 1:
        location = (location[0], *location[2:])
    short = KEYS[str(location[0])].short if location and str(location[0]) in KEYS else None
    if short and location[-1] == short:
        is_mapping = isinstance(_as_written(raw, location[:-1], None), dict)
        return location if is_mapping else location[:-1]
    return location


def _as_written(raw: dict[str, Any], location: Location, default: Any) -> Any:
    try:
        return _value_at(raw, location)
    except (LookupError, TypeError):
        return default


def _model_at(location: Location) -> type[BaseModel]:
    """Return the model that checks the mapping at a pydantic location."""
    model: type[BaseModel] = Spec
    for part in location:
        if (field := model.model_fields.get(str(part))) is not None:
            forms = models_of(field.annotation)
            model = forms[0] if forms else model
        elif (chosen := kinds_of(str(location[0])).get(str(part))) is not None:
            model = chosen
    return model


def _expected(details: Mapping[str, Any], location: Location) -> str:
    """Return a description of the legal values."""
    key = KEYS.get(str(location[0])) if location else None
    is_no_mapping = details["type"] in ("model_type", "dict_type", "model_attributes_type")
    is_whole_value = len(location) == 1 or details["type"] == "model_attributes_type"
    if details["type"] == "union_tag_invalid" or (
        key and key.must and is_no_mapping and is_whole_value
    ):
        return key.must if key else ""
    if is_no_mapping:
        return "a mapping, like {key: value}"
    if details["type"] in ("tuple_type", "list_type"):
        return "a list, like [...]"
    return str(details.get("ctx", {}).get("text") or str(details["msg"]).lower())


def _hint(value: Any, expected: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value):
        return f"; write {value} without quotes"
    if isinstance(value, float) and value.is_integer() and 0 < value < 1e15:
        return f"; write {int(value)}"
    words = re.findall(r"[a-z0-9_]+", expected)
    if expected.startswith("a list") and value in words:
        return f"; write [{value}]"
    is_word = isinstance(value, str) and not expected.startswith("a mapping")
    return suggestion(value, words) if is_word else ""
