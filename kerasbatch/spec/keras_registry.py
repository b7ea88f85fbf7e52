"""Which Keras names and arguments a spec may use, checked without importing Keras.

Reads the shipped table that `keras_table` generates. Names and argument names are checked here;
whether Keras accepts an argument's value shows when the model is built.
"""

import functools
import json
import re
from pathlib import Path
from typing import Any, Literal

Section = Literal[
    "layers",
    "optimizers",
    "callbacks",
    "schedules",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
]
# Losses of our own, and metrics that Keras chooses by the shape of the labels.
OWN_LOSSES = {"half_mse"}
PYTHON_NAME = r"^[^:\x00]+\.py:[A-Za-z_][A-Za-z0-9_]*$"
CHOSEN_METRICS = {"accuracy", "acc"}
_LOWER_IS_BETTER = {
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
}
LabelKind = Literal["index", "one_hot", "binary", "number"]
_LABEL_KINDS: dict[str, LabelKind] = {
    "SparseCategoricalCrossentropy": "index",
    "CategoricalCrossentropy": "one_hot",
    "CategoricalFocalCrossentropy": "one_hot",
    "CategoricalHinge": "one_hot",
    "BinaryCrossentropy": "binary",
    "BinaryFocalCrossentropy": "binary",
}


@functools.cache
def keras_table() -> dict[str, Any]:
    """Return the shipped table: section -> class name -> required and optional arguments."""
    text = Path(__file__).with_name("keras_table.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def class_name(section: Section, name: str) -> str | None:
    """Return the Keras class that a name in a spec means, or None if it means none.

    Losses and metrics may be spelled in Keras' ways (`mse`, `mean_squared_error`,
    `MeanSquaredError`), optimizers in any case.
    """
    classes = keras_table()[section]
    if name in classes:
        return name
    if section == "optimizers":
        return {known.lower(): known for known in classes}.get(name.lower())
    aliases: dict[str, str] = keras_table()["aliases"].get(section, {})
    return aliases.get(name)


def canonical_object(section: Section, written: dict[str, Any]) -> dict[str, Any]:
    """Return a `{name: ..., argument: ...}` in one spelling, without arguments at their defaults.

    Args:
        section: where its name is looked up.
        written: the name and its arguments, checked already.
    """
    known = class_name(section, written["name"]) or written["name"]
    arguments = {key: value for key, value in written.items() if key != "name"}
    return {"name": known} | _without_defaults(section, known, arguments)


def canonical_item(section: Section, written: Any) -> dict[str, Any]:
    """Return a layer or callback as `{name: arguments}`, without arguments at their defaults."""
    ((name, arguments),) = {written: None}.items() if isinstance(written, str) else written.items()
    return {name: _without_defaults(section, name, arguments or {})}


def _without_defaults(section: Section, known: str, arguments: dict[str, Any]) -> dict[str, Any]:
    defaults = keras_table()[section].get(known, {"optional": {}})["optional"]
    return {
        key: value
        for key, value in arguments.items()
        if not (key in defaults and value == defaults[key] and value is not None)
    }


def with_floats(section: Section, known: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with whole numbers as floats where Keras' own default is a float.

    `momentum: 0` is a number for a person, and no number for Keras.
    """
    defaults = keras_table()[section].get(known, {"optional": {}})["optional"]
    return {
        key: float(value) if type(value) is int and isinstance(defaults.get(key), float) else value
        for key, value in arguments.items()
    }


def default_learning_rate(optimizer: str) -> float:
    """Return the learning rate that Keras takes for an optimizer when none is given."""
    known = class_name("optimizers", optimizer)
    return float(keras_table()["optimizers"][known]["optional"]["learning_rate"])


def label_kind(loss: str) -> LabelKind:
    """Return what a loss compares outputs with.

    `index` is a class by its number, `one_hot` a column per class, `binary` 0 or 1, `number`
    anything of the shape of the outputs.
    """
    return _LABEL_KINDS.get(str(class_name("losses", loss)), "number")


def lower_is_better(metric: str) -> bool:
    """Tell whether a metric is better when it is lower; the loss always is."""
    known = class_name("metrics", metric)
    if metric == "loss" or metric in OWN_LOSSES or (known is None and class_name("losses", metric)):
        return True
    return known is not None and known in _LOWER_IS_BETTER


def value_section(argument: str) -> Section | None:
    """Return the section of the table in which an argument's value is looked up, if in any."""
    if argument == "activation" or argument.endswith("_activation"):
        return "activations"
    for ending in ("initializer", "regularizer", "constraint"):
        if argument.endswith(ending):
            return f"{ending}s"  # type: ignore[return-value]  # each of the three is a Section
    return "schedules" if argument == "learning_rate" else None


def is_learning_rate(value: Any) -> bool:
    """Tell whether a value is a usable learning rate: a finite number above 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= 1e30


def is_python_name(value: Any) -> bool:
    """Tell whether a value names a function in a file, as `my_code.py:build` does."""
    return (
        isinstance(value, str) and len(value) <= 1000 and re.match(PYTHON_NAME, value) is not None
    )
