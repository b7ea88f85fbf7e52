"""The columns that a target and callbacks name, which a run must measure."""

from collections.abc import Iterable, Iterator

from kerasbatch.errors import Fault
from kerasbatch.spec.rules.callback_rules import monitored_columns
from kerasbatch.spec.schema import Spec
from kerasbatch.text import show_value, suggestion


def measured(spec: Spec) -> Iterator[Fault]:
    """A target and callbacks name metrics that are measured; a compiled model may bring its own."""
    if spec.knows_metrics:
        yield from measured_faults(spec, spec.logged_metrics())


def measured_faults(spec: Spec, logged: Iterable[str]) -> Iterator[Fault]:
    """Yield a fault for every column that is named and not measured.

    Args:
        spec: a single-run spec.
        logged: the names of loss and metrics in Keras' logs.
    """
    in_epochs = list(logged)
    prefix = "train_" if spec.validation and spec.validation.kind == "none" else "val_"
    at_fixed_weights = [prefix + name for name in in_epochs]
    if spec.target is not None and spec.target.metric not in at_fixed_weights:
        hint = suggestion(spec.target.metric, at_fixed_weights)
        message = f"{show_value(spec.target.metric)} is not recorded by this spec{hint}"
        listing = f" (recorded: {', '.join(at_fixed_weights)})"
        yield Fault(("target", "metric"), message + ("" if hint else listing))
    yield from monitored_columns(spec, [*in_epochs, *at_fixed_weights])
