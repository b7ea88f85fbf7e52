"""The name of a run: readable, and equal for specs that give the same numbers.

The name depends only on keys that differ from their defaults, in canonical spelling, so a new key
of a later version changes no name.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from kerasbatch.errors import SpecError
from kerasbatch.records.record import FORMAT
from kerasbatch.spec.fields import KeyedModel, metadata
from kerasbatch.spec.keras_registry import Section, canonical_item, canonical_object
from kerasbatch.spec.named_paths import compile_parts
from kerasbatch.spec.own_code import is_own_code
from kerasbatch.spec.reader import SpecSource, checked_spec
from kerasbatch.spec.schema import BUDGETS, KEYS, OF_SWEEP, Spec
from kerasbatch.spec.section_schema import LayerModel, PythonModel
from kerasbatch.spec.short_forms import is_by_output
from kerasbatch.text import value_label

SECTIONS = {name: key.section for name, key in KEYS.items() if key.section is not None}
MAX_LABEL = 80


def run_id(spec: Spec, swept: Mapping[str, Any], fingerprint: str, code: str = "") -> str:
    """Return the name of a run: its swept values, and a hash of all that determines its numbers.

    Args:
        spec: the resolved spec of the run.
        swept: the swept keys and values; without any, the batch size is shown.
        fingerprint: the hash of the data that are used.
        code: a hash of the Python code that the spec names.
    """
    short = _hash([identity(spec), fingerprint, code, FORMAT])[:8]
    shown = dict(swept) or {"batch_size": spec.batch_size}
    parts = [f"{key.split('.')[-1]}={value_label(value)}" for key, value in shown.items()]
    readable = re.sub(r"[^A-Za-z0-9._=+-]+", "_", ",".join(parts).replace(",", "-"))
    return f"{readable[:MAX_LABEL].strip('.-_')}-{short}"


def family_hash(spec: Spec, fingerprint: str, code: str = "") -> str | None:
    """Return a hash that is equal for runs that differ in the length of their budget alone.

    A longer run begins like a shorter one. None if the learning rate follows the budget.

    Args:
        spec: the resolved spec of the run.
        fingerprint: the hash of the data that are used.
        code: a hash of the Python code that the spec names.
    """
    if spec.learning_rate_rule.follows_budget:
        return None
    shared = {key: value for key, value in identity(spec).items() if key not in BUDGETS}
    return _hash([shared, fingerprint, code, FORMAT])


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def spec_hash(source: SpecSource) -> str | None:
    """Return a hash of a spec without its overrides, equal for files that ask for the same runs.

    None for a spec that is no file: a script that trains one dict after the other edits none.
    """
    if source.text is None:
        return None
    plain = source.tree.value if source.unchanged is None else source.unchanged
    try:
        spec = source.spec if source.unchanged is None else checked_spec(plain)
        # A cap changes no choice, and the present runs stay those of the spec.
        present = spec.model_fields_set - {"cap"}
        of_sweep = {key: getattr(spec, key) for key in OF_SWEEP if key in present}
        one_size = {} if "batch_size" in plain else {"batch_size": 1}  # a placeholder of the check
        identity = identity_with_code(spec) | one_size
        content = {"spec": identity, "sweep": None, **_normalized_numbers(of_sweep)}
    except SpecError:  # it is complete with its overrides only
        content = {"plain": _normalized_numbers(plain)}
    return _hash(content)


def identity(spec: Spec) -> dict[str, Any]:
    """Return the keys that determine the numbers of a run, without defaults, in one spelling."""
    plain = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    plain = _identity_keys(spec, plain)
    for key, section in SECTIONS.items():
        if key in plain:
            plain[key] = _canonical_part(section, plain[key])
    if "metrics" in plain:
        plain["metrics"] = [_with_function(metric) for metric in plain["metrics"]]
    if isinstance(spec.model, LayerModel):
        layers = [canonical_item("layers", layer) for layer in spec.model.layers]
        plain["model"] = {"layers": layers}
    if spec.callbacks:
        plain["callbacks"] = [_canonical_callback(callback) for callback in spec.callbacks]
    for name in plain:
        plain[name] = _identity_keys(getattr(spec, name), plain[name])
    normalized: dict[str, Any] = _normalized_numbers(plain)
    return normalized


def identity_with_code(spec: Spec) -> dict[str, Any]:
    """Return the identity of a spec, in which own code has its name: m.py:build.

    The name of a run holds a hash of this code instead, but a stored spec has no code.
    """
    plain = identity(spec)
    if isinstance(spec.model, PythonModel):
        plain["model"] = {**plain.get("model", {}), "python": PurePath(spec.model.python).name}
    for location, part in compile_parts(spec):
        if part.python is not None:
            place: Any = plain
            for step in location:
                place = place[step]
            place["python"] = PurePath(part.python).name
    if spec.initial_weights is not None:
        plain["initial_weights"] = spec.plain()["initial_weights"]
    return plain


def _identity_keys(model: Any, plain: Any) -> Any:
    """Return the keys of a mapping that are part of the identity; file contents are hashed."""
    if not isinstance(model, KeyedModel) or not isinstance(plain, dict):
        return plain
    inner = {name: metadata(type(model), name) for name in plain}
    return {name: value for name, value in plain.items() if (key := inner[name]) and key.identity}


def _canonical_part(section: Section, part: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer or a loss in one spelling; of several outputs, each of theirs."""
    if is_by_output(part):
        return {output: _canonical_part(section, inner) for output, inner in part.items()}
    return canonical_object(section, part) if "name" in part else _with_function(part)


def _canonical_callback(callback: Any) -> dict[str, Any]:
    """Return a callback in one spelling."""
    return (
        _with_function(callback) if is_own_code(callback) else canonical_item("callbacks", callback)
    )


def _with_function(part: dict[str, Any]) -> dict[str, Any]:
    """Return own code by the name of its function, without its file and the note of an object."""
    known = {key: value for key, value in part.items() if key != "note" and value != {}}
    if "python" not in part:
        return known
    return {**known, "python": part["python"].rpartition(":")[2]}


def _normalized_numbers(value: Any) -> Any:
    """Return a value with 1.0 as 1, because both are the same number in a spec."""
    if isinstance(value, dict):
        return {key: _normalized_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_normalized_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
