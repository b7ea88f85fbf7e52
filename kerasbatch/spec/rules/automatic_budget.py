"""The rule of `budget: auto`, which a sweep over batch sizes may have."""

from collections.abc import Iterator

from kerasbatch.errors import Fault
from kerasbatch.spec.schema import BUDGETS, Spec


def automatic_budget(spec: Spec) -> Iterator[Fault]:
    """An automatic budget follows the steps to a target, at which runs stop."""
    if spec.budget is None:
        return
    if spec.target is None:
        message = "auto follows the steps to a target; add target: {..., stop: true}"
        yield Fault(("budget",), message)
    elif not spec.target.stop:
        yield Fault(("budget",), "auto needs runs that end at their target; add stop: true to it")
    grid, rule = spec.sweep or {}, spec.learning_rate_rule
    if "batch_size" not in grid:
        yield Fault(("budget",), "auto is for a sweep over batch_size; leave it out")
    for key in BUDGETS:
        if key in grid:
            yield Fault(("sweep", key), f"budget: auto finds the budgets; leave {key} out here")
    if rule.decay or (rule.warmup and rule.warmup.fraction is not None):
        part = "decay" if rule.decay else "warmup"
        message = "follows the budget, which budget: auto leaves open; leave one of them out"
        yield Fault(("learning_rate_rule", part), message)
