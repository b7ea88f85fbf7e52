"""Which Keras names and arguments a spec may use, checked without importing Keras.

Reads the shipped table that `keras_table` generates. Names and argument names are checked here;
whether Keras accepts an argument's value shows when the model is built.
"""

import difflib
import functools
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, cast

from kerasbatch.errors import Fault, Location, shortened

Section = Literal[
    "layers",
    "optimizers",
    "schedules",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
]
_SINGULAR = {
    "layers": "layer",
    "optimizers": "optimizer",
    "schedules": "learning-rate schedule",
    "losses": "loss",
    "metrics": "metric",
    "initializers": "initializer",
    "regularizers": "regularizer",
    "constraints": "constraint",
    "activations": "activation",
}
# Losses of our own, and metrics that Keras chooses by the shape of the labels.
OWN_LOSSES = {"half_mse"}
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
_UNSAFE_LAYERS = {
    "Lambda": "it runs code",
    "TFSMLayer": "it loads a saved program",
    "JaxLayer": "it runs code",
    "FlaxLayer": "it runs code",
    "TorchModuleWrapper": "it runs code",
    "StringLookup": "it can read files and needs adapting to the data",
    "IntegerLookup": "it can read files and needs adapting to the data",
    "TextVectorization": "it can read files and needs adapting to the data",
    "Normalization": "it needs adapting to the data; tables are standardized already",
    "Discretization": "it needs adapting to the data",
    "Input": "the input's shape comes from the data",
    "InputLayer": "the input's shape comes from the data",
}


@functools.cache
def table() -> dict[str, Any]:
    """Return the shipped table: section -> class name -> required and optional arguments."""
    text = Path(__file__).with_name("keras_table.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def nearest(word: str, legal: Iterable[str]) -> str:
    """Return `; did you mean X?` for the legal word nearest to `word`, or nothing."""
    by_lower = {name.lower(): name for name in sorted(legal)}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[found[0]]}?" if found else ""


def class_name(section: Section, name: str) -> str | None:
    """Return the Keras class that a name in a spec means, or None if it means none.

    Losses and metrics may be spelled in Keras' ways (`mse`, `mean_squared_error`,
    `MeanSquaredError`), optimizers in any case.
    """
    classes = table()[section]
    if name in classes:
        return name
    if section == "optimizers":
        return {known.lower(): known for known in classes}.get(name.lower())
    aliases: dict[str, str] = table()["aliases"].get(section, {})
    return aliases.get(name)


def canonical(section: Section, written: dict[str, Any]) -> dict[str, Any]:
    """Return a `{name: ..., argument: ...}` in one spelling, without arguments at their defaults.

    Args:
        section: where its name is looked up.
        written: the name and its arguments, checked already.
    """
    known = class_name(section, written["name"]) or written["name"]
    arguments = {key: value for key, value in written.items() if key != "name"}
    return {"name": known} | _without_defaults(section, known, arguments)


def canonical_layer(written: Any) -> dict[str, Any]:
    """Return a layer as `{name: arguments}`, without arguments at their defaults."""
    ((name, arguments),) = {written: None}.items() if isinstance(written, str) else written.items()
    return {name: _without_defaults("layers", name, arguments or {})}


def _without_defaults(section: Section, known: str, arguments: dict[str, Any]) -> dict[str, Any]:
    defaults = table()[section].get(known, {"optional": {}})["optional"]
    return {
        key: value
        for key, value in arguments.items()
        if not (key in defaults and value == defaults[key] and value is not None)
    }


def default_learning_rate(optimizer: str) -> float:
    """Return the learning rate that Keras takes for an optimizer when none is given."""
    known = class_name("optimizers", optimizer)
    return float(table()["optimizers"][known]["optional"]["learning_rate"])


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


def check_named(section: Section, value: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of a `name`, or a `{name: ..., argument: ...}`, as it stands in a spec."""
    arguments = dict(value) if isinstance(value, dict) else {"name": value}
    name = arguments.pop("name", None)
    where = location if not isinstance(value, dict) else (*location, "name")
    if isinstance(value, dict) and "name" not in value:
        yield Fault(location, f"has no name; write {{name: ..., ...}} with a {_SINGULAR[section]}")
    elif not isinstance(name, str):
        yield Fault(where, f"found {show(name)}; must be the name of a {_SINGULAR[section]}")
    elif _is_own(section, name):
        yield from _no_arguments(name, arguments, location)
    elif (known := class_name(section, name)) is None:
        legal = [*table()[section], *table()["aliases"].get(section, {}), *OWN_LOSSES]
        hint = nearest(name, legal if section == "losses" else legal[: -len(OWN_LOSSES)])
        yield Fault(where, f"unknown {_SINGULAR[section]} {show(name)}{hint}")
    else:
        yield from check_arguments(section, known, arguments, location)


def _is_own(section: Section, name: str) -> bool:
    return (section == "losses" and name in OWN_LOSSES) or (
        section == "metrics" and name in CHOSEN_METRICS
    )


def _no_arguments(name: str, arguments: dict[str, Any], location: Location) -> Iterator[Fault]:
    for argument in arguments:
        message = f"{name} takes no arguments; leave {argument} out"
        yield Fault((*location, argument), message, at_key=True)


def check_layers(layers: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of a list of layers as it stands in a spec."""
    if not isinstance(layers, list | tuple) or not layers:
        yield Fault(location, f"found {show(layers)}; must be a list of layers, at least one")
        return
    for number, layer in enumerate(layers):
        yield from check_layer(layer, (*location, number))


def check_layer(layer: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of one layer: `Flatten`, or `Dense: {units: 10}`."""
    if isinstance(layer, str):
        name, below, arguments = layer, location, cast(Any, {})
    elif isinstance(layer, dict) and len(layer) == 1:
        ((name, arguments),) = layer.items()
        below = (*location, name)
        arguments = {} if arguments is None else arguments
    else:
        message = "must be a layer: Flatten, or Dense: {units: 10} with the arguments indented"
        yield Fault(location, f"found {show(layer)}; {message}")
        return
    if name in _UNSAFE_LAYERS:
        yield Fault(below, f"the layer {name} is not allowed in a spec: {_UNSAFE_LAYERS[name]}")
    elif name not in table()["layers"]:
        yield Fault(below, f"unknown layer {show(name)}{nearest(name, table()['layers'])}")
    elif not isinstance(arguments, dict):
        message = f"must be arguments, for example {{{_example(name)}}}"
        yield Fault(below, f"found {show(arguments)}; {message}")
    else:
        yield from check_arguments("layers", name, arguments, below)


def _example(layer: str) -> str:
    entry = table()["layers"][layer]
    return f"{next(iter([*entry['required'], *entry['optional']]), '')}: ..."


def check_arguments(
    section: Section, known: str, arguments: dict[str, Any], location: Location
) -> Iterator[Fault]:
    """Yield the faults of the arguments of a known class: unknown, missing or not a value."""
    entry = table()[section][known]
    legal = [*entry["required"], *entry["optional"]]
    for argument, value in arguments.items():
        where = (*location, argument)
        if argument not in legal:
            takes = f"; {known} takes {', '.join(legal)}" if legal else f"; {known} takes none"
            hint = nearest(argument, legal) or takes
            message = f"{known} has no argument {show(argument)}{hint}"
            yield Fault(where, message, at_key=True)
        else:
            yield from _check_value(argument, value, where)
    for argument in entry["required"]:
        if argument not in arguments:
            yield Fault(location, f"{known} needs the argument {argument}; add {argument}: ...")


def value_section(argument: str) -> Section | None:
    """Return the section of the table in which an argument's value is looked up, if in any."""
    if argument == "activation" or argument.endswith("_activation"):
        return "activations"
    for ending in ("initializer", "regularizer", "constraint"):
        if argument.endswith(ending):
            return f"{ending}s"  # type: ignore[return-value]  # each of the three is a Section
    return "schedules" if argument == "learning_rate" else None


def _check_value(argument: str, value: Any, location: Location) -> Iterator[Fault]:
    if argument in ("layer", "backward_layer"):
        yield from check_layer(value, location)
    elif argument == "learning_rate" and not isinstance(value, dict):
        if not is_learning_rate(value):
            legal = "a number above 0, or a schedule such as {name: ExponentialDecay, ...}"
            yield Fault(location, f"found {show(value)}; must be {legal}")
    elif (section := value_section(argument)) is not None and value is not None:
        yield from _check_snake(section, value, location)
    else:
        yield from _check_plain(value, location)


def _check_snake(section: Section, value: Any, location: Location) -> Iterator[Fault]:
    if isinstance(value, str) and class_name(section, value):
        return  # Keras fills in the arguments of an initializer given by its bare name
    yield from check_named(section, value, location)


def _check_plain(value: Any, location: Location) -> Iterator[Fault]:
    if isinstance(value, dict):
        yield Fault(location, "found a mapping; must be a number, text, true, false or a list")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _check_plain(inner, (*location, number))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(location, f"found {show(value)}; must be a finite number")


def is_learning_rate(value: Any) -> bool:
    """Tell whether a value is a usable learning rate: a finite number above 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= 1e30


def show(value: Any) -> str:
    """Write a value from a spec the way an error names it, shortened to one line."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        simple = value and not any(isinstance(part, dict | list | tuple) for part in value)
        short = shorten(f"[{', '.join(map(str, value))}]") if simple else "a list"
        return short if value else "an empty list"
    return shorten(repr(value) if isinstance(value, str) else str(value))


def shorten(text: str) -> str:
    """Return a text of at most 60 characters."""
    return shortened(text, 60)
