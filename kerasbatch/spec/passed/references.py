"""Replaces the objects in a spec of Python by names; the spec is then like one of a file."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from kerasbatch.errors import Location, SpecError
from kerasbatch.spec.fields import AS
from kerasbatch.spec.own_code import OBJECT
from kerasbatch.spec.passed.fingerprint import UnknownContentError, fingerprint
from kerasbatch.spec.passed.objects import PassedObjects
from kerasbatch.spec.passed.plain_values import plain_value
from kerasbatch.spec.schema import COMPILE_PARTS
from kerasbatch.spec.short_forms import BY_OUTPUT, METRICS, is_by_output, kinds_of
from kerasbatch.text import shortened

PARTS = ("x", "y", "validation", "test", "weight")
"""The keys of data in a mapping that hold arrays or tables."""
NOTE = "note"
"""The key of a reference beside the name of the object: a description of it."""
_OF_OBJECTS = (*COMPILE_PARTS, METRICS, "callbacks")
"""The keys without forms whose values may be objects, or hold some."""
_HASH_LENGTH = 8
_PASSED = "passed from Python and not kept here"


def with_references(spec: Mapping[str, Any]) -> tuple[dict[str, Any], PassedObjects]:
    """Return a spec of plain values, and the objects that its names stand for.

    Args:
        spec: a spec as a mapping, with objects for data, model, callbacks and the parts of
            `compile`.

    Raises:
        SpecError: if the contents of an object are unknown.
    """
    references = _References()
    plain: dict[str, Any] = {}
    for key, value in spec.items():
        place: Location = (str(key),)
        if key == "sweep" and isinstance(value, Mapping):
            plain[key] = {
                str(inner): references.values(str(inner), values, ("sweep", str(inner)))
                for inner, values in value.items()
            }
        else:
            plain[str(key)] = references.value(str(key), value, place)
    return plain_value(plain), PassedObjects(references.objects)


def is_data(value: Any) -> bool:
    """Return whether a value is data, and not the name or the mapping of a spec."""
    if isinstance(value, Mapping):
        return "x" in value
    is_table = hasattr(value, "columns") or hasattr(value, "__array__")
    is_pair = isinstance(value, list | tuple) and any(not isinstance(v, str) for v in value)
    return is_table or is_pair or hasattr(value, "element_spec") or hasattr(value, "__next__")


def parts_and_options(value: Any, place: Location) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays or tables of data by their names, and the keys of the spec beside them.

    Raises:
        SpecError: if there are no labels, or the value has another form.
    """
    options = {}
    if isinstance(value, Mapping):
        options = {key: inner for key, inner in value.items() if key not in PARTS}
        parts = {key: _as_pandas(inner) for key, inner in value.items() if key in PARTS}
    else:
        parts = {key: _as_pandas(inner) for key, inner in _parts_of_pair(value, place).items()}
    if "y" not in parts and isinstance(options.get("target"), str):
        parts["y"] = options.pop("target")
    if parts.get("y") is None:
        raise SpecError.at(place, 'has x and no y; give both, like {"x": ..., "y": ...}')
    if isinstance(parts["y"], str) and not hasattr(parts["x"], "columns"):
        raise SpecError.at(place, "y names a column, and x is no DataFrame; give an array")
    return parts, options


def is_unchanged(name: str, value: Any) -> bool:
    """Return whether an object still has the contents that its name was made of."""
    try:
        return name.endswith(f"-{fingerprint(value)[:_HASH_LENGTH]}")
    except UnknownContentError:
        return False


def is_model(value: Any) -> bool:
    """Return whether a value is a model, or what builds one."""
    return callable(value)


class _References:
    """The names of objects; equal objects have one name."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def value(self, key: str, value: Any, place: Location) -> Any:
        """Return the value of a key with names for the objects in it."""
        if key == "data" and is_data(value):
            return self._data(value, place)
        if key == "model" and is_model(value):
            return self._reference(value, place, _name(value), _describe_model)
        if key == "callbacks" and isinstance(value, list | tuple):
            return [self._callback(item, (*place, n)) for n, item in enumerate(value)]
        top_key, dot, _ = key.partition(".")
        # A dotted key of an optimizer is one of its arguments.
        named = BY_OUTPUT if dot else (*COMPILE_PARTS, METRICS)
        if top_key in named and (_is_compile_part(value) or _holds_compile_parts(top_key, value)):
            return self._compile_parts(top_key, value, place)
        if hasattr(value, "get_config"):
            message = f"found an object; write its name and arguments, like {_as_mapping(value)}"
            raise SpecError.at(place, message)
        return value

    def values(self, key: str, values: Any, place: Location) -> Any:
        """Return the values of an axis with names for the objects in them."""
        top_key = key.partition(".")[0]
        may_be_objects = OBJECT in kinds_of(key) or top_key in _OF_OBJECTS
        if not isinstance(values, list | tuple) or not may_be_objects:
            return values
        return [self.value(key, value, (*place, n)) for n, value in enumerate(values)]

    def _data(self, value: Any, place: Location) -> dict[str, Any]:
        parts, options = parts_and_options(value, place)
        name = "table" if hasattr(parts["x"], "columns") else "arrays"
        return self._reference(parts, place, name, _describe_parts) | options

    def _compile_parts(self, key: str, value: Any, place: Location) -> Any:
        """Return the optimizer, the loss or the metrics with names for the objects in them."""
        if isinstance(value, list | tuple):
            return [self._compile_parts(key, item, (*place, n)) for n, item in enumerate(value)]
        if _holds_compile_parts(key, value):
            return {
                name: self._compile_parts(key, part, (*place, name)) for name, part in value.items()
            }
        if not _is_compile_part(value):
            return value
        reference = self._reference(value, place, _name(value), _describe_object)
        if key != METRICS:
            return reference
        column = getattr(value, "name", None) or getattr(value, "__name__", None)
        return reference | ({AS: column} if column else {})

    def _callback(self, value: Any, place: Location) -> Any:
        if isinstance(value, str | Mapping):
            return value
        return self._reference(value, place, _name(value), lambda _: "a callback")

    def _reference(
        self, value: Any, place: Location, name: str, describe: Callable[[Any], str]
    ) -> dict[str, Any]:
        try:
            content = fingerprint(value)
        except UnknownContentError as error:
            message = f"{name} cannot be told apart from others, so no run of it could be found "
            raise SpecError.at(place, f"{message}again: {error}") from None
        key = f"{name}-{content[:_HASH_LENGTH]}"
        self.objects[key] = value
        return {OBJECT: key, NOTE: f"{describe(value)}; {_PASSED}"}


def _holds_compile_parts(key: str, value: Any) -> bool:
    """Return whether a value is a list of metrics, or a mapping of losses or metrics by output."""
    if isinstance(value, list | tuple):
        return key == METRICS
    return key in BY_OUTPUT and is_by_output(value)


def _is_compile_part(value: Any) -> bool:
    """Return whether a value is an optimizer, a loss or a metric, or a function that is one."""
    return callable(value) or hasattr(value, "get_config")


def _describe_object(value: Any) -> str:
    if callable(value) and not hasattr(value, "get_config"):
        return _describe_model(value)
    return f"a {type(value).__name__}"


def _as_pandas(value: Any) -> Any:
    """Return a table of another library as a DataFrame, also inside of a pair."""
    if isinstance(value, tuple):
        return tuple(map(_as_pandas, value))
    if hasattr(value, "to_pandas") and not hasattr(value, "iloc"):
        return value.to_pandas()
    return value


def _parts_of_pair(value: Any, place: Location) -> dict[str, Any]:
    """Return the parts of (x, y), or of ((x, y), (x_test, y_test))."""
    legal = '(x, y), ((x, y), (x_test, y_test)) or {"x": ..., "y": ..., "validation": (x, y)}'
    if not isinstance(value, list | tuple) or len(value) != 2:
        count = f" of {len(value)}" if isinstance(value, list | tuple) else ""
        message = f"found {type(value).__name__}{count}; must be {legal}"
        if not isinstance(value, list | tuple):
            message += "; datasets and generators are trained by kerasbatch.fit"
        raise SpecError.at(place, message)
    first, second = value
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second) == 2:
        return {"x": first[0], "y": first[1], "test": second}
    return {"x": first, "y": second}


def _as_mapping(value: Any) -> dict[str, Any]:
    """Return an optimizer, loss or metric as a spec names it, with its numbers."""
    numbers = {
        key: inner
        for key, inner in value.get_config().items()
        if isinstance(inner, int | float) and not isinstance(inner, bool)
    }
    return {"name": type(value).__name__} | dict(list(numbers.items())[:1])


def _name(value: Any) -> str:
    """Return a short name for an object: of a function or a class, or of the class of others."""
    name = getattr(value, "__name__", None) or type(value).__name__
    keras = sys.modules.get("keras")
    is_model = keras is not None and isinstance(value, keras.Model)
    name = str(value.name) if is_model else str(name)
    return shortened("".join(c if c.isalnum() or c in "._" else "" for c in name), 40) or "model"


def _describe_model(value: Any) -> str:
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(value, keras.Model):
        return f"a keras.Model of {value.count_params():,} weights" if value.built else "a model"
    kind = "class" if isinstance(value, type) else "function"
    return f"the {kind} {getattr(value, '__qualname__', type(value).__name__)}"


def _describe_parts(parts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_describe_part(part)}" for name, part in parts.items())


def _describe_part(part: Any) -> str:
    if isinstance(part, tuple):
        return f"({', '.join(map(_describe_part, part))})"
    if hasattr(part, "columns"):
        return f"of {len(part):,} rows and {len(part.columns):,} columns"
    shape = getattr(part, "shape", None)
    return (
        str(part) if isinstance(part, str) else f"{tuple(shape) if shape else type(part).__name__}"
    )
