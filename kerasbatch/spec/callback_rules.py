"""The callbacks of a spec: what they watch, and what must hold between them and other keys."""

from collections.abc import Callable, Iterator
from typing import Any

from kerasbatch.errors import Fault
from kerasbatch.spec import keras_registry
from kerasbatch.spec.schema import Spec
from kerasbatch.text import show_value, suggestion


def name_and_arguments(written: Any) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of one of Keras' callbacks as a spec writes it."""
    if isinstance(written, str):
        return written, {}
    ((name, arguments),) = written.items()
    return name, dict(arguments or {})


def is_user_callback(written: Any) -> bool:
    """Tell whether a callback is one's own, made by a Python function."""
    return isinstance(written, dict) and "python" in written


def user_callbacks(spec: Spec) -> Iterator[tuple[int, str]]:
    """Yield the place and the function of every callback of one's own."""
    for number, written in enumerate(spec.callbacks):
        if is_user_callback(written):
            yield number, written["python"]


def monitored(name: str, arguments: dict[str, Any]) -> str | None:
    """Return the column that one of Keras' callbacks watches, or None if it watches none."""
    defaults = keras_registry.keras_table()["callbacks"][name]["optional"]
    watched = arguments.get("monitor", defaults.get("monitor"))
    return None if watched is None else str(watched)


def evaluated_metrics(spec: Spec) -> list[str]:
    """Return the names of the metrics measured at fixed weights, as history.csv writes them."""
    prefix = "train_" if spec.validation and spec.validation.kind == "none" else "val_"
    return [prefix + name for name in spec.logged_metrics()]


def values_of_callbacks(spec: Spec) -> Iterator[Fault]:
    """Keras takes whatever it is given, and fails, or does not stop, in the middle of a run."""
    for number, written in enumerate(spec.callbacks):
        if is_user_callback(written):
            continue
        name, arguments = name_and_arguments(written)
        for argument, value in arguments.items():
            holds, must = _MUST.get(argument, (lambda _: True, ""))
            if not holds(value):
                place = ("callbacks", number, name, argument)
                yield Fault(place, f"found {show_value(value)}; must be {must}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_COUNT = (_is_count, "a whole number, 0 or more")
_MUST: dict[str, tuple[Callable[[Any], bool], str]] = {
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
"""What Keras' callbacks take, and does not check itself."""


def evaluation_at_epoch_ends(spec: Spec) -> Iterator[Fault]:
    """Callbacks hear at the ends of epochs, so the evaluations must be there."""
    if spec.callbacks and spec.evaluate_every.epochs is None:
        message = (
            "the evaluations are not at the ends of epochs, where Keras calls callbacks; write "
            "evaluate_every: {epochs: 1}, or leave the callbacks out"
        )
        yield Fault(("evaluate_every",), message)


def what_callbacks_watch(spec: Spec) -> Iterator[Fault]:
    """A callback watches something that is measured."""
    measured = [*spec.logged_metrics(), *evaluated_metrics(spec)]
    for number, written in enumerate(spec.callbacks):
        if is_user_callback(written):
            continue
        name, arguments = name_and_arguments(written)
        watched = monitored(name, arguments)
        if watched is None or watched in measured:
            continue
        where = ("callbacks", number) if isinstance(written, str) else ("callbacks", number, name)
        place = (*where, "monitor") if "monitor" in arguments else where
        hint = suggestion(watched, measured)
        advice = hint or f"; write monitor: with one of {', '.join(measured)}"
        yield Fault(place, f"{name} watches {watched}, which this spec does not measure{advice}")


def rate_that_can_be_reduced(spec: Spec) -> Iterator[Fault]:
    """ReduceLROnPlateau sets a number; a schedule or a warm-up says the rate of every step."""
    scheduled = isinstance(spec.optimizer.arguments.get("learning_rate"), dict)
    if not scheduled and spec.learning_rate_rule.warmup is None:
        return
    for number, written in enumerate(spec.callbacks):
        if not is_user_callback(written) and name_and_arguments(written)[0] == "ReduceLROnPlateau":
            what = "a schedule" if scheduled else "a warm-up"
            message = f"ReduceLROnPlateau cannot set the rate beside {what}; keep one of them"
            yield Fault(("callbacks", number), message)
