"""Rewrites short forms of keys into the long forms of the schema.

`data: digits` becomes `{kind: name, name: digits}`, `optimizer: adam` becomes `{name: adam}`,
`save: best` becomes `[best]`. `kind` is the key that is present in this form of a mapping, so that
pydantic chooses the right model and reports only its faults.
"""

import functools
from collections.abc import Mapping
from typing import Any, get_args

from kerasbatch.spec.fields import KIND, StrictModel
from kerasbatch.spec.own_code import OBJECT, PYTHON
from kerasbatch.spec.schema import KEYS, Spec

LOSS = "loss"
METRICS = "metrics"
BY_OUTPUT = (LOSS, METRICS)
"""The keys whose values may be one for each output of a model."""
_NAMES = ("name", PYTHON, OBJECT)
"""The keys that name an optimizer, a loss or a metric."""
_OF_A_PART = ("learning_rate", "outputs")
"""Other keys of an optimizer or a loss."""


def expand(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plain spec in its long form; keys without a short form are unchanged."""
    return {key: _expand(key, value) if key in KEYS else value for key, value in raw.items()}


def expand_key(name: str, value: Any) -> Any:
    """Return the value of a key; plain text that a mapping may replace as a mapping."""
    is_text = any(model.is_text for model in kinds_of(name).values())
    return value if is_text else _expand_text(name, value)


@functools.cache
def kinds_of(name: str) -> dict[str, type[StrictModel]]:
    """Return the forms of a key by their kind; empty for an unknown key or a single form."""
    if name not in KEYS:
        return {}
    return {
        kind: model
        for model in models_of(Spec.model_fields[name].annotation)
        for kind in _kinds(model)
    }


def models_of(annotation: Any) -> list[type[StrictModel]]:
    """Return the models that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, StrictModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_of(inner)]


def _kinds(model: type[StrictModel]) -> tuple[str, ...]:
    field = model.model_fields.get(KIND)
    return get_args(field.annotation) if field else ()


def _expand(name: str, value: Any) -> Any:
    key = KEYS[name]
    if key.words is not None and isinstance(value, str | Mapping):
        return [] if value == key.words else [value]
    if name == LOSS and is_by_output(value):
        return {"outputs": {output: _expand_text(name, part) for output, part in value.items()}}
    if name == METRICS and is_by_output(value):
        return [_of_output(name, output, item) for output, item in metrics_by_output(value)]
    if isinstance(value, list | tuple):
        return [_expand_text(name, item) for item in value]
    return _with_kind(name, _expand_text(name, value), is_text=isinstance(value, str))


def is_by_output(value: Any) -> bool:
    """Return whether the value of a loss or of metrics is a mapping of the outputs of a model.

    An output may be called `name`: its value is a list or a mapping, and no text.
    """
    if not isinstance(value, Mapping) or not value or value.keys() & {*_OF_A_PART}:
        return False
    return all(isinstance(value[key], list | Mapping) for key in _NAMES if key in value)


def metrics_by_output(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the metrics of each output with its name."""
    listed = (
        (output, item if isinstance(item, list) else [item]) for output, item in value.items()
    )
    return [(output, metric) for output, metrics in listed for metric in metrics]


def _of_output(name: str, output: str, value: Any) -> Any:
    expanded = _expand_text(name, value)
    return {**expanded, "output": output} if isinstance(expanded, Mapping) else expanded


def _expand_text(name: str, value: Any) -> Any:
    """Return plain text as a mapping without its `kind`."""
    short = KEYS[name].short if name in KEYS else None
    return {short: value} if short and isinstance(value, str) else value


def _with_kind(name: str, value: Any, *, is_text: bool) -> Any:
    """Return a mapping with the kind of its keys, or with the first kind if no key fits.

    Of several kinds whose key is there, as in `{groups: shop, fraction: 0.2}`, the one that has
    most of the keys.
    """
    kinds = {kind: model for kind, model in kinds_of(name).items() if is_text or not model.is_text}
    if not kinds or not isinstance(value, Mapping) or KIND in value:
        return value
    present = [kind for kind in kinds if kind in value] or list(kinds)[:1]
    chosen = max(present, key=lambda kind: len(kinds[kind].model_fields.keys() & value.keys()))
    return {KIND: chosen, **value}
