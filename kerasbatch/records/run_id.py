"""The name of a run: readable, and the same for whatever gives the same numbers.

Only keys that differ from their defaults enter it, under one spelling of each name, so that a new
key of a later version changes no name.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from kerasbatch.records.record import FORMAT
from kerasbatch.spec import sweep
from kerasbatch.spec.fields import KeyedModel, metadata
from kerasbatch.spec.keras_registry import canonical_item, canonical_object
from kerasbatch.spec.schema import KEYS, Spec
from kerasbatch.spec.section_schema import LayerModel

SECTIONS = {name: key.section for name, key in KEYS.items() if key.section is not None}
MAX_LABEL = 80


def run_id(spec: Spec, swept: Mapping[str, Any], fingerprint: str, code: str = "") -> str:
    """Name a run: the swept values, readable, and a hash of all that makes its numbers.

    Args:
        spec: the resolved spec of the run.
        swept: the swept keys and values; without any, the batch size is shown.
        fingerprint: the hash of the data really used.
        code: a hash of the Python code that the spec names.
    """
    text = json.dumps([identity(spec), fingerprint, code, FORMAT], sort_keys=True)
    short = hashlib.sha256(text.encode()).hexdigest()[:8]
    shown = dict(swept) or {"batch_size": spec.batch_size}
    parts = [f"{key.split('.')[-1]}={sweep.label(value)}" for key, value in shown.items()]
    readable = re.sub(r"[^A-Za-z0-9._=+-]+", "_", ",".join(parts).replace(",", "-"))
    return f"{readable[:MAX_LABEL].strip('.-_')}-{short}"


def identity(spec: Spec) -> dict[str, Any]:
    """Return what makes the numbers of a run: its keys that are not defaults, in one spelling."""
    given = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    given = _content(spec, given)
    for key, section in SECTIONS.items():
        given[key] = canonical_object(section, given[key])
    if isinstance(spec.model, LayerModel):
        layers = [canonical_item("layers", layer) for layer in spec.model.layers]
        given["model"] = {"layers": layers}
    if spec.callbacks:
        given["callbacks"] = [_callback(each) for each in spec.callbacks]
    for name in given:
        given[name] = _content(getattr(spec, name), given[name])
    whole: dict[str, Any] = _whole_numbers(given)
    return whole


def _content(model: Any, plain: Any) -> Any:
    """Return the keys of a mapping that are part of the identity; what files hold is hashed."""
    if not isinstance(model, KeyedModel) or not isinstance(plain, dict):
        return plain
    inner = {name: metadata(type(model), name) for name in plain}
    return {name: value for name, value in plain.items() if (key := inner[name]) and key.identity}


def _callback(written: Any) -> dict[str, Any]:
    """Return a callback in one spelling; of one's own, the name of its function."""
    if isinstance(written, dict) and "python" in written:
        return {"python": written["python"].rpartition(":")[2]}
    return canonical_item("callbacks", written)


def _whole_numbers(value: Any) -> Any:
    """Write 1.0 as 1, which are the same number in a spec."""
    if isinstance(value, dict):
        return {key: _whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
