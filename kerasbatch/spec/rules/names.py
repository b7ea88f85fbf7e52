"""The names of Keras in a spec, with their arguments, and own code in their place."""

from collections.abc import Iterator, Mapping
from typing import Any

from kerasbatch.errors import Fault, Location
from kerasbatch.spec.fields import AS, OUTPUT
from kerasbatch.spec.keras_registry import Section
from kerasbatch.spec.keras_validation import (
    RATE,
    check_callbacks,
    check_layers,
    check_named,
    check_value,
    column_faults,
)
from kerasbatch.spec.own_code import is_own_code, own_code_faults
from kerasbatch.spec.schema import COMPILE_PARTS, KEYS, Spec
from kerasbatch.spec.short_forms import LOSS, is_by_output, metrics_by_output
from kerasbatch.text import suggestion

_BESIDE_OWN: Mapping[str, tuple[str, ...]] = {"optimizers": (RATE,), "metrics": (AS, OUTPUT)}
"""The keys that stand beside own code."""


def names_and_arguments(raw: dict[str, Any]) -> Iterator[Fault]:
    """Yield the faults of Keras names and their arguments in a plain spec."""
    model = raw.get("model")
    of_model = is_own_code(model)
    if isinstance(model, dict) and "layers" in model:
        yield from check_layers(model["layers"], ("model", "layers"))
    for key in COMPILE_PARTS:
        if key in raw and (section := KEYS[key].section):
            if of_model and key == LOSS and is_by_output(raw[key]):
                for output, part in raw[key].items():
                    yield from _check_part(section, part, (key, output), of_model=False)
                continue
            yield from _check_part(section, raw[key], (key,), of_model=of_model)
        elif not of_model and not suggestion(key, [k for k in raw if k not in Spec.model_fields]):
            yield Fault((key,), f"is missing; add {key}: ...")
    if raw.get("callbacks") is not None:
        yield from check_callbacks(raw["callbacks"], ("callbacks",))
    yield from _metric_names(raw.get("metrics"))


def _metric_names(metrics: Any) -> Iterator[Fault]:
    """Yield the faults of metrics, in a list or by output."""
    if is_by_output(metrics):
        for output, metric in metrics_by_output(metrics):
            yield from _check_part("metrics", metric, ("metrics", output), of_model=False)
    for number, metric in enumerate(metrics if isinstance(metrics, list) else ()):
        yield from _check_part("metrics", metric, ("metrics", number), of_model=False)


def _check_part(
    section: Section, value: Any, location: Location, *, of_model: bool
) -> Iterator[Fault]:
    """Yield the faults of the optimizer, the loss or a metric of a spec.

    Args:
        section: its section.
        value: the value: a name, a mapping with one, or own code.
        location: its place.
        of_model: whether a mapping without a name changes that of the model.
    """
    if is_own_code(value):
        yield from own_code_faults(value, location, _BESIDE_OWN.get(section, ()))
        if AS in value:
            yield from column_faults(value[AS], (*location, AS))
        if RATE in value:
            yield from check_value(RATE, value[RATE], (*location, RATE), None)
    elif of_model and section == "optimizers" and isinstance(value, dict) and list(value) == [RATE]:
        yield from check_value(RATE, value[RATE], (*location, RATE), None)
    else:
        yield from check_named(section, value, location)
