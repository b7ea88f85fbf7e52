"""The forms of callbacks in a spec, and what they monitor."""

from collections.abc import Iterator
from typing import Any

from kerasbatch.spec import keras_registry
from kerasbatch.spec.own_code import OBJECT, PYTHON
from kerasbatch.spec.schema import Spec


def name_and_arguments(written: Any) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of a Keras callback in a spec."""
    if isinstance(written, str):
        return written, {}
    ((name, arguments),) = written.items()
    return name, dict(arguments or {})


def is_user_callback(written: Any) -> bool:
    """Return whether a callback comes from a Python function of the user."""
    return isinstance(written, dict) and PYTHON in written


def is_passed_callback(written: Any) -> bool:
    """Return whether a callback is an object that Python code passed."""
    return isinstance(written, dict) and OBJECT in written


def keras_callbacks(spec: Spec) -> Iterator[tuple[int, Any]]:
    """Yield the position and the text of every callback that is named in the spec."""
    for number, written in enumerate(spec.callbacks):
        if not is_user_callback(written) and not is_passed_callback(written):
            yield number, written


def monitored(name: str, arguments: dict[str, Any]) -> str | None:
    """Return the column that a Keras callback monitors, or None if it monitors none."""
    defaults = keras_registry.keras_table()["callbacks"][name]["optional"]
    column = arguments.get("monitor", defaults.get("monitor"))
    return None if column is None else str(column)
