"""Own code in a spec: `{python: "file.py:name", arguments: {...}}`, and objects of Python."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kerasbatch.errors import Fault, Location
from kerasbatch.spec.call_arguments import ARGUMENTS
from kerasbatch.spec.keras_registry import is_python_name
from kerasbatch.text import show_value, suggestion

PYTHON, OBJECT = "python", "object"
"""The keys that name own code: a function in a file, or an object that Python code passed."""
LEGAL_VALUES = "must be a number, text, true, false, null, or a list or mapping of these"


def is_own_code(value: Any) -> bool:
    """Return whether a value of a spec stands for code of the user."""
    return isinstance(value, Mapping) and (PYTHON in value or OBJECT in value)


def own_code_faults(
    value: Mapping[str, Any], location: Location, others: Sequence[str] = ()
) -> Iterator[Fault]:
    """Yield the faults of own code in a spec.

    Args:
        value: the mapping.
        location: its place.
        others: the keys that it may have beside `python` and `arguments`; they are not checked.
    """
    keys = (PYTHON, ARGUMENTS, *others) if PYTHON in value else (OBJECT, ARGUMENTS, "note", *others)
    for key in value:
        if key not in keys:
            hint = suggestion(str(key), keys) or f"; the keys here are {', '.join(keys)}"
            yield Fault((*location, key), f"unknown key{hint}", at_key=True)
    if PYTHON in value and not is_python_name(value[PYTHON]):
        message = "must be a file and a function in it, like my_code.py:build"
        yield Fault((*location, PYTHON), f"found {show_value(value[PYTHON])}; {message}")
    if ARGUMENTS in value:
        yield from argument_faults(value[ARGUMENTS], (*location, ARGUMENTS))


def argument_faults(arguments: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of the arguments of own code: values that no spec holds."""
    if not isinstance(arguments, Mapping):
        message = "must be a mapping, like {units: 64}"
        yield Fault(location, f"found {show_value(arguments)}; {message}")
        return
    for name, value in arguments.items():
        if not isinstance(name, str) or not name.isidentifier():
            message = "must be the name of an argument"
            yield Fault((*location, name), f"found {show_value(name)}; {message}", at_key=True)
        yield from _value_faults(value, (*location, name))


def _value_faults(value: Any, location: Location) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _value_faults(inner, (*location, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _value_faults(inner, (*location, number))
    elif not isinstance(value, str | int | float | bool | None):
        yield Fault(location, f"found {show_value(value)}; {LEGAL_VALUES}")
