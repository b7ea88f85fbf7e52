"""The Keras names and arguments that a spec may use, without importing Keras.

Reads the shipped `keras_table.json`. Covers names of classes and arguments; Keras checks
the values of arguments when it builds the model.
"""

import functools
import json
import re
from collections.abc import Mapping
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
OWN_LOSSES = {"half_mse"}
"""Losses of kerasbatch."""
PYTHON_NAME = r"^[^:\x00]+\.py:[A-Za-z_][A-Za-z0-9_]*$"
SIGNED_LOSSES = ("Hinge", "SquaredHinge")
"""Losses of two classes under which the sign of the output is the class."""
CHOSEN_METRICS = {"accuracy", "acc"}
"""Metrics whose class Keras chooses by the shape of the labels."""
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
Direction = Literal["lower", "higher"]
LabelKind = Literal["index", "one_hot", "binary", "number", "any"]
_LABEL_KINDS: dict[str, LabelKind] = {
    "SparseCategoricalCrossentropy": "index",
    "CategoricalCrossentropy": "one_hot",
    "CategoricalFocalCrossentropy": "one_hot",
    "CategoricalHinge": "one_hot",
    "BinaryCrossentropy": "binary",
    "BinaryFocalCrossentropy": "binary",
    "Hinge": "binary",
    "SquaredHinge": "binary",
}


@functools.cache
def keras_table() -> dict[str, Any]:
    """Return the shipped table: section -> class name -> required and optional arguments."""
    text = Path(__file__).with_name("keras_table.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def class_name(section: Section, name: str) -> str | None:
    """Return the Keras class for a name in a spec, or None if there is none.

    Losses and metrics may have the spellings of Keras (`mse`, `mean_squared_error`,
    `MeanSquaredError`), optimizers in any case.
    """
    classes = keras_table()[section]
    if name in classes:
        return name
    if section == "optimizers":
        return {legal.lower(): legal for legal in classes}.get(name.lower())
    aliases: dict[str, str] = keras_table()["aliases"].get(section, {})
    return aliases.get(name)


def canonical_object(section: Section, written: dict[str, Any]) -> dict[str, Any]:
    """Return a `{name: ..., argument: ...}` in one spelling, without default arguments.

    Args:
        section: the section of its name.
        written: the checked name and arguments.
    """
    name = class_name(section, written["name"]) or written["name"]
    arguments = {key: value for key, value in written.items() if key != "name"}
    return {"name": name} | _without_defaults(section, name, arguments)


def canonical_item(section: Section, written: Any) -> dict[str, Any]:
    """Return a layer or callback as `{name: arguments}`, without default arguments."""
    ((name, arguments),) = {written: None}.items() if isinstance(written, str) else written.items()
    return {name: _without_defaults(section, name, arguments or {})}


def _without_defaults(section: Section, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    defaults = keras_table()[section].get(name, {"optional": {}})["optional"]
    return {
        key: value
        for key, value in arguments.items()
        if not (key in defaults and value == defaults[key] and value is not None)
    }


def with_floats(section: Section, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with integers as floats where the default of Keras is a float.

    Keras does not accept `momentum: 0`, for example.
    """
    defaults = keras_table()[section].get(name, {"optional": {}})["optional"]
    return {
        key: float(value) if type(value) is int and isinstance(defaults.get(key), float) else value
        for key, value in arguments.items()
    }


def default_learning_rate(optimizer: str) -> float | None:
    """Return the default learning rate of an optimizer; None for one of own code."""
    rate = optimizer_defaults(optimizer).get("learning_rate")
    return None if rate is None else float(rate)


def optimizer_defaults(optimizer: str) -> dict[str, Any]:
    """Return the default arguments of an optimizer; empty for an unknown one."""
    name = class_name("optimizers", optimizer)
    defaults: dict[str, Any] = keras_table()["optimizers"][name]["optional"] if name else {}
    return defaults


def label_kind(loss: str) -> LabelKind:
    """Return the kind of labels that a loss compares with the outputs.

    `index` is the number of a class, `one_hot` a column per class, `binary` 0 or 1, `number` any
    array of the shape of the outputs. Of a loss of own code, the kind is `any`: nobody knows it.
    """
    return _LABEL_KINDS.get(str(class_name("losses", loss)), "number")


def has_logits(loss: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether a loss takes the outputs of a model for logits: their sign is the class."""
    return bool(arguments.get("from_logits")) or class_name("losses", loss) in SIGNED_LOSSES


def lower_is_better(metric: str) -> bool:
    """Return whether lower values of a metric are better, as for every loss."""
    return better_direction(metric) == "lower"


def _known_part(metric: str) -> str:
    """Return the part of a name given by `as` that names a metric (pr_auc: auc), or all of it."""
    parts = metric.split("_")
    endings = ("_".join(parts[first:]) for first in range(len(parts)))
    known = (name for name in endings if name == "loss" or class_name("metrics", name))
    return next(known, metric)


def better_direction(column: str) -> Direction | None:
    """Return the direction in which a metric improves, or None for one that Keras does not have.

    Args:
        column: the name of a metric or of a loss, perhaps with a prefix: mae, val_mae.
    """
    metric = re.sub("^(val|train|test)_", "", column)
    metric = _known_part(metric)
    if metric == "loss" or metric in OWN_LOSSES:
        return "lower"
    if name := class_name("metrics", metric):
        return "lower" if name in _LOWER_IS_BETTER else "higher"
    return "lower" if class_name("losses", metric) else None


def value_section(argument: str) -> Section | None:
    """Return the section of the table for the value of an argument, or None."""
    if argument == "activation" or argument.endswith("_activation"):
        return "activations"
    for ending in ("initializer", "regularizer", "constraint"):
        if argument.endswith(ending):
            return f"{ending}s"  # type: ignore[return-value]  # all three are a Section
    return "schedules" if argument in ("learning_rate", "schedule") else None


def is_learning_rate(value: Any) -> bool:
    """Return whether a value is a usable learning rate: a finite number above 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= 1e30


def is_python_name(value: Any) -> bool:
    """Return whether a value names a function in a file, like `my_code.py:build`."""
    return (
        isinstance(value, str) and len(value) <= 1000 and re.match(PYTHON_NAME, value) is not None
    )
