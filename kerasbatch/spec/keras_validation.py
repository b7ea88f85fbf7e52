"""Checks the Keras names and arguments of a spec, without importing Keras.

Covers names of classes and arguments; Keras checks the values of arguments when it builds the
model.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from kerasbatch.errors import Fault, Location
from kerasbatch.spec.fields import AS, OUTPUT
from kerasbatch.spec.keras_registry import (
    CHOSEN_METRICS,
    OWN_LOSSES,
    Section,
    class_name,
    is_learning_rate,
    keras_table,
    value_section,
)
from kerasbatch.spec.own_code import is_own_code, own_code_faults
from kerasbatch.text import show_value, suggestion

MAX_NUMBER = 2**53
"""The largest whole number of an argument; a float holds it exactly."""
MAX_COUNTS = {"num_thresholds": 100_000}
"""The largest values of arguments of which Keras makes Python lists."""
_SINGULAR = {
    "layers": "layer",
    "optimizers": "optimizer",
    "callbacks": "callback",
    "schedules": "learning-rate schedule",
    "losses": "loss",
    "metrics": "metric",
    "initializers": "initializer",
    "regularizers": "regularizer",
    "constraints": "constraint",
    "activations": "activation",
}
_ITEMS = {
    "layers": "Flatten, or Dense: {units: 10}",
    "callbacks": "TerminateOnNaN, or EarlyStopping: {patience: 3}",
}
_UNSAFE_CALLBACKS = {
    "BackupAndRestore": "it writes files; write save: {every: {epochs: 5}} to keep models",
    "CSVLogger": "it writes files; history.csv is there already",
    "LambdaCallback": "it runs code; write {python: file.py:make}",
    "ModelCheckpoint": "it writes files; write save: best, or save: {every: {epochs: 5}}",
    "RemoteMonitor": "it sends data away",
    "SwapEMAWeights": "it changes what an evaluation sees",
    "TensorBoard": "it writes files; `kerasbatch export --tensorboard` writes them of any run",
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


RATE = "learning_rate"


def check_named(section: Section, value: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of a `name` or a `{name: ..., argument: ...}` in a spec."""
    arguments = dict(value) if isinstance(value, dict) else {"name": value}
    name = arguments.pop("name", None)
    if section == "metrics":
        arguments.pop(OUTPUT, None)
    if section == "metrics" and AS in arguments:
        yield from column_faults(arguments.pop(AS), (*location, AS))
    where = location if not isinstance(value, dict) else (*location, "name")
    if isinstance(value, dict) and "name" not in value:
        message = f"has no name; write {{name: ..., ...}} with the {_SINGULAR[section]}"
        without = "; without a name, learning_rate alone may be given, for a compiled model"
        yield Fault(location, message + (without if section == "optimizers" else ""))
    elif not isinstance(name, str):
        yield Fault(where, f"found {show_value(name)}; must be the name of a {_SINGULAR[section]}")
    elif _takes_no_arguments(section, name):
        yield from _argument_faults(name, arguments, location)
    elif (keras_name := class_name(section, name)) is None:
        legal = [*keras_table()[section], *keras_table()["aliases"].get(section, {}), *OWN_LOSSES]
        hint = suggestion(name, legal if section == "losses" else legal[: -len(OWN_LOSSES)])
        yield Fault(where, f"unknown {_SINGULAR[section]} {show_value(name)}{hint}")
    else:
        yield from check_arguments(section, keras_name, arguments, location)


def column_faults(name: Any, location: Location) -> Iterator[Fault]:
    """Yield a fault for a name that cannot be that of a column."""
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,40}", name):
        message = "must be a name of letters, digits and _, such as pr_auc"
        yield Fault(location, f"found {show_value(name)}; {message}")
    elif name == "loss" or name.startswith(("val_", "train_", "test_", "best_")):
        yield Fault(location, f"{name} is the name of another column")


def _takes_no_arguments(section: Section, name: str) -> bool:
    return (section == "losses" and name in OWN_LOSSES) or (
        section == "metrics" and name in CHOSEN_METRICS
    )


def _argument_faults(name: str, arguments: dict[str, Any], location: Location) -> Iterator[Fault]:
    """Yield a fault for every argument of a name that takes none."""
    for argument in arguments:
        message = f"{name} takes no arguments; leave {argument} out"
        yield Fault((*location, argument), message, at_key=True)


def check_callbacks(callbacks: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of a list of callbacks in a spec."""
    if not isinstance(callbacks, list | tuple):
        message = "must be a list of callbacks, like [EarlyStopping: {patience: 3}]"
        yield Fault(location, f"found {show_value(callbacks)}; {message}")
        return
    for number, callback in enumerate(callbacks):
        yield from _check_callback(callback, (*location, number))


def _check_callback(callback: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of a Keras callback, or of `{python: "file.py:make"}`."""
    if is_own_code(callback):
        yield from own_code_faults(callback, location)
        return
    yield from _check_item("callbacks", _UNSAFE_CALLBACKS, callback, location)


def check_layers(layers: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of a list of layers in a spec."""
    if not isinstance(layers, list | tuple) or not layers:
        yield Fault(location, f"found {show_value(layers)}; must be a list of layers, at least one")
        return
    seen: set[str] = set()
    for number, layer in enumerate(layers):
        yield from check_layer(layer, (*location, number))
        if (name := _layer_name(layer)) in seen:
            place = (*location, number, next(iter(layer)), "name")
            yield Fault(place, f"another layer is called {name}; a name is that of one layer")
        seen |= {name} if name else set()


def _layer_name(layer: Any) -> str | None:
    """Return the name that a spec gives to a layer."""
    arguments = next(iter(layer.values()), None) if isinstance(layer, dict) else None
    name = arguments.get("name") if isinstance(arguments, dict) else None
    return name if isinstance(name, str) else None


def check_layer(layer: Any, location: Location) -> Iterator[Fault]:
    """Yield the faults of one layer: `Flatten`, or `Dense: {units: 10}`."""
    yield from _check_item("layers", _UNSAFE_LAYERS, layer, location)


def _check_item(
    section: Section, unsafe: Mapping[str, str], item: Any, location: Location
) -> Iterator[Fault]:
    """Yield the faults of an object written as `Name` or `Name: {argument: ...}`."""
    kind = _SINGULAR[section]
    if isinstance(item, str):
        name, place, arguments = item, location, cast(Any, {})
    elif isinstance(item, dict) and len(item) == 1:
        ((name, arguments),) = item.items()
        place = (*location, name)
        arguments = {} if arguments is None else arguments
    else:
        message = f"must be a {kind}: {_ITEMS[section]} with the arguments indented"
        yield Fault(location, f"found {show_value(item)}; {message}")
        return
    if name in unsafe:
        yield Fault(place, f"the {kind} {name} is not allowed in a spec: {unsafe[name]}")
    elif name not in keras_table()[section]:
        yield Fault(
            place, f"unknown {kind} {show_value(name)}{suggestion(name, keras_table()[section])}"
        )
    elif not isinstance(arguments, dict):
        message = f"must be arguments, for example {{{_example(section, name)}}}"
        yield Fault(place, f"found {show_value(arguments)}; {message}")
    else:
        yield from check_arguments(section, name, arguments, place)


def _example(section: Section, name: str) -> str:
    entry = keras_table()[section][name]
    return f"{next(iter([*entry['required'], *entry['optional']]), '')}: ..."


def check_arguments(
    section: Section, name: str, arguments: dict[str, Any], location: Location
) -> Iterator[Fault]:
    """Yield the faults of the arguments of a Keras class: unknown, missing, or not a value."""
    entry = keras_table()[section][name]
    legal = [*entry["required"], *entry["optional"]]
    for argument, value in arguments.items():
        where = (*location, argument)
        if section == "layers" and argument == "name":
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][\w.-]{0,60}", value):
                message = "must be a name of letters, digits, _, - and ., such as head"
                yield Fault(where, f"found {show_value(value)}; {message}")
        elif argument not in legal:
            takes = f"; {name} takes {', '.join(legal)}" if legal else f"; {name} takes none"
            hint = suggestion(argument, legal) or takes
            message = f"{name} has no argument {show_value(argument)}{hint}"
            yield Fault(where, message, at_key=True)
        else:
            yield from check_value(argument, value, where, entry["optional"].get(argument))
    for argument in entry["required"]:
        if argument not in arguments:
            yield Fault(location, f"{name} needs the argument {argument}; add {argument}: ...")


def check_value(argument: str, value: Any, location: Location, default: Any) -> Iterator[Fault]:
    """Yield the faults of the value of an argument of a Keras class, whose default is known."""
    if argument in ("layer", "backward_layer"):
        yield from check_layer(value, location)
    elif argument == RATE and not isinstance(value, dict):
        if not is_learning_rate(value):
            legal = "a number above 0, or a schedule such as {name: ExponentialDecay, ...}"
            yield Fault(location, f"found {show_value(value)}; must be {legal}")
    elif (section := value_section(argument)) is not None and value is not None:
        yield from _check_object(section, value, location)
    elif isinstance(default, float) and not _is_number(value):
        yield Fault(location, f"found {show_value(value)}; must be a number, like {default}")
    else:
        yield from _check_plain(value, location, MAX_COUNTS.get(argument, MAX_NUMBER))


def _is_number(value: Any) -> bool:
    """Return whether a value may stand for a float: a number, a list of them, or none."""
    if isinstance(value, list | tuple):
        return all(map(_is_number, value))
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _check_object(section: Section, value: Any, location: Location) -> Iterator[Fault]:
    if isinstance(value, str) and class_name(section, value):
        return  # Keras fills in the arguments of an initializer without any
    yield from check_named(section, value, location)


def _check_plain(value: Any, location: Location, limit: int) -> Iterator[Fault]:
    if isinstance(value, dict):
        yield Fault(location, "found a mapping; must be a number, text, true, false or a list")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _check_plain(inner, (*location, number), limit)
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(location, f"found {show_value(value)}; must be a finite number")
    elif isinstance(value, int) and abs(value) > limit:
        yield Fault(location, f"found {show_value(value)}; must be {limit:,} at most")
