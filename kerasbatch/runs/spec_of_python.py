"""A spec from a file or a mapping, with keys that Python code gives by name."""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_origin

from kerasbatch.runs.default_keys import DefaultKeys, standardizes_for_weights
from kerasbatch.spec.passed.references import is_data
from kerasbatch.spec.reader import SpecSource, resolve_spec, spec_from_dict, with_keys
from kerasbatch.spec.schema import Spec

AnySpec = str | Path | Mapping[str, Any] | SpecSource
RATE = "learning_rate"
DOTTED = {RATE: f"optimizer.{RATE}"}
"""The dotted keys of names that an argument of Python cannot have."""
LISTS = tuple(
    name for name, field in Spec.model_fields.items() if get_origin(field.annotation) is tuple
)
"""The keys whose values are lists in every spec, such as metrics."""


def spec_of_python(
    spec: AnySpec | None,
    overrides: Iterable[str] = (),
    keys: Mapping[str, Any] | None = None,
    *,
    sweeps: bool = False,
) -> SpecSource:
    """Return a spec with keys by name.

    Args:
        spec: the path of a file, a mapping, a spec that was read already, or None.
        overrides: `key=value` texts that replace keys of a file or a mapping.
        keys: further keys, as in a spec; `learning_rate` is that of the optimizer.
        sweeps: whether a list of values sweeps its key.

    Raises:
        SpecError: if the spec is wrong.
    """
    named = {DOTTED.get(key, key): value for key, value in (keys or {}).items()}
    if isinstance(spec, str | Path | SpecSource):
        source = resolve_spec(spec, overrides)
        grid = _grid(named) if sweeps else {}
        plain = {key: value for key, value in named.items() if key not in grid}
        if grid:
            plain["sweep"] = dict(source.spec.sweep or {}) | grid
        return with_keys(source, plain) if plain else source
    return spec_from_dict(_complete({**(spec or {}), **named}, sweeps), overrides)


def _complete(spec: Mapping[str, Any], sweeps: bool) -> dict[str, Any]:
    """Return a mapping with its lists as a sweep, and with the values of missing keys."""
    complete = dict(spec)
    if sweeps and (grid := _grid(spec)):
        complete = {key: value for key, value in spec.items() if key not in grid}
        complete["sweep"] = dict(spec.get("sweep") or {}) | grid
    if standardizes_for_weights(complete):
        message = "x is standardized, and the model has weights already; if it expects x as it is, "
        warnings.warn(f'{message}write data={{"x": x, "y": y, "standardize": False}}', stacklevel=4)
    defaults = DefaultKeys(complete)
    if missing := defaults.missing():
        shown = ", ".join(f"{key}={value!r}" for key, value in missing.items())
        warnings.warn(f"not given, so these are used: {shown}", stacklevel=4)
    complete = complete | missing | defaults.start_of_auto()
    for key in [key for key in complete if "." in key]:
        if key.partition(".")[0] in (complete.get("sweep") or {}):  # its section is swept
            complete["sweep"] = {**complete["sweep"], key: [complete.pop(key)]}
    return complete


def _grid(spec: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the keys whose values are lists, with lists of their values."""
    return {key: list(value) for key, value in spec.items() if _sweeps(key, value)}


def _sweeps(key: str, value: Any) -> bool:
    """Return whether a value stands for several: a list, a range, or an array of them."""
    if key in LISTS or key == "sweep" or isinstance(value, str | Mapping):
        return False
    if key == "data":
        return isinstance(value, list) and all(isinstance(v, str) or is_data(v) for v in value)
    is_array = getattr(value, "shape", ()) != () and hasattr(value, "tolist")
    return isinstance(value, list | tuple | range) or is_array
