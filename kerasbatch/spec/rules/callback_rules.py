"""The rules of callbacks with other keys, and the arguments that Keras does not check."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kerasbatch.errors import Fault
from kerasbatch.spec import keras_registry
from kerasbatch.spec.callbacks import keras_callbacks, monitored, name_and_arguments
from kerasbatch.spec.schema import Spec
from kerasbatch.text import show_value, suggestion


def callback_arguments(spec: Spec) -> Iterator[Fault]:
    """Arguments must be legal; Keras checks them only during a run, or never."""
    for number, written in keras_callbacks(spec):
        name, arguments = name_and_arguments(written)
        for argument, value in arguments.items():
            is_legal, expected = _ARGUMENT_CHECKS.get(argument, (lambda _: True, ""))
            if not is_legal(value):
                place = ("callbacks", number, name, argument)
                yield Fault(place, f"found {show_value(value)}; must be {expected}")
        yield from _mode_faults(number, name, arguments)


def _mode_faults(number: int, name: str, arguments: dict[str, Any]) -> Iterator[Fault]:
    """Yield a fault if the mode is not the direction in which the monitored metric improves."""
    column = monitored(name, arguments) or ""
    better = keras_registry.better_direction(column)
    if column and better is None and arguments.get("mode", "auto") == "auto":
        message = f"{name} watches {column}, and only its author knows its better direction; "
        yield Fault(("callbacks", number, name), f"{message}write mode: min or mode: max")
    right = {"lower": "min", "higher": "max"}.get(better or "")
    if right and arguments.get("mode") in {"min", "max"} - {right}:
        message = f"{column} is better when it is {better}; write {right}, or leave mode out"
        yield Fault(("callbacks", number, name, "mode"), message)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_COUNT = (_is_count, "a whole number, 0 or more")
_ARGUMENT_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "monitor": (lambda value: isinstance(value, str), "the name of what is measured"),
    "patience": _COUNT,
    "cooldown": _COUNT,
    "start_from_epoch": _COUNT,
    "min_delta": (_is_number, "a number"),
    "baseline": (lambda value: value is None or _is_number(value), "a number"),
    "factor": (
        lambda value: _is_number(value) and 0 < value < 1,
        "a number between 0 and 1, both excluded",
    ),
    "min_lr": (lambda value: _is_number(value) and value >= 0, "a number, 0 or more"),
    "mode": (lambda value: value in ("auto", "min", "max"), "one of auto, min, max"),
    "restore_best_weights": (lambda value: isinstance(value, bool), "true or false"),
}
"""Legal arguments of callbacks that Keras does not check itself."""


def evaluation_at_epoch_ends(spec: Spec) -> Iterator[Fault]:
    """Keras calls callbacks at the ends of epochs, so evaluations must take place there."""
    if spec.callbacks and spec.evaluate_every.epochs is None:
        message = (
            "the evaluations are not at the ends of epochs, where Keras calls callbacks; write "
            "evaluate_every: {epochs: 1}, or leave the callbacks out"
        )
        yield Fault(("evaluate_every",), message)


def rate_of_a_scheduler(spec: Spec) -> Iterator[Fault]:
    """A LearningRateScheduler sets the rate of every epoch, by a schedule of Keras."""
    for number, written in keras_callbacks(spec):
        name, arguments = name_and_arguments(written)
        if name != "LearningRateScheduler":
            continue
        if not isinstance(arguments.get("schedule"), dict):
            message = "must be a schedule, like {name: CosineDecay, ...}"
            shown = show_value(arguments.get("schedule"))
            yield Fault(("callbacks", number, name, "schedule"), f"found {shown}; {message}")
        if "learning_rate" in spec.optimizer.arguments or spec.learning_rate_rule.rule != "none":
            message = f"{name} sets the rate of every epoch; leave learning_rate and the rule out"
            yield Fault(("callbacks", number), message)


def monitored_columns(spec: Spec, measured: Sequence[str]) -> Iterator[Fault]:
    """Yield a fault for every callback that monitors a column that is not measured."""
    for number, written in keras_callbacks(spec):
        name, arguments = name_and_arguments(written)
        column = monitored(name, arguments)
        if column is None or column in measured:
            continue
        item = ("callbacks", number) if isinstance(written, str) else ("callbacks", number, name)
        place = (*item, "monitor") if "monitor" in arguments else item
        hint = suggestion(column, measured)
        advice = hint or f"; write monitor: with one of {', '.join(measured)}"
        yield Fault(place, f"{name} watches {column}, which this spec does not measure{advice}")


SET_RATE = ("ReduceLROnPlateau", "LearningRateScheduler")
"""The callbacks that set the learning rate."""


def reducible_learning_rate(spec: Spec) -> Iterator[Fault]:
    """Two callbacks set a number; a schedule or a warm-up sets the rate of every step."""
    scheduled = isinstance(spec.optimizer.arguments.get("learning_rate"), dict)
    if not scheduled and not spec.learning_rate_rule.is_scheduled:
        return
    for number, written in keras_callbacks(spec):
        if (name := name_and_arguments(written)[0]) in SET_RATE:
            obstacle = "a schedule" if scheduled else "a warm-up or decay"
            message = f"{name} cannot set the rate beside {obstacle}; keep one of them"
            yield Fault(("callbacks", number), message)
