"""The learning rate of a run: what its rule makes of the base rate for a batch size.

Sources: SGD's linear rule, Goyal et al. 2017 (arXiv 1706.02677), who use it with a warm-up; the
square-root rule for Adam and RMSprop, Malladi et al. 2022 (arXiv 2205.10287), which also scales
1 - beta by the factor of the batch size and epsilon by one over its square root. Both are
starting points for a search, not results. A warm-up lets the rate grow from 0.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec import keras_registry
from kerasbatch.spec.schema import Spec
from kerasbatch.steps import Plan
from kerasbatch.text import counted

BETAS = ("beta_1", "beta_2")
LINEAR = ("SGD",)
SQUARE_ROOT = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Lamb")
"""Optimizers that divide by the size of gradients: their rate grows as the root of the batch."""


@dataclass(frozen=True)
class LearningRate:
    """What a run's optimizer gets.

    Args:
        base: the rate before the rule, or None for a schedule.
        value: the rate after the rule, or None for a schedule.
        arguments: further arguments of the optimizer that the rule sets (betas, epsilon).
        warmup_steps: the steps in which the rate grows from 0 to its value; 0 for none.
    """

    base: float | None
    value: float | None
    arguments: dict[str, float]
    warmup_steps: int = 0


def resolve_learning_rate(spec: Spec, plan: Plan) -> LearningRate:
    """Return the learning rate of a spec at its batch size.

    Args:
        spec: a single-run spec.
        plan: its counts.

    Raises:
        SpecError: if scaling would make a beta 0 or less.
    """
    given = spec.optimizer.arguments.get("learning_rate")
    if isinstance(given, dict):
        return LearningRate(None, None, {})
    base = (
        float(given)
        if given is not None
        else keras_registry.default_learning_rate(spec.optimizer.name)
    )
    rule = spec.learning_rate_rule
    grown = plan.batch_size / rule.base_batch_size
    factor = {"none": 1.0, "linear": grown, "sqrt": math.sqrt(grown)}[rule.rule]
    arguments = _scaled(spec, grown) if rule.betas else {}
    warmup = 0 if rule.warmup is None else rule.warmup.in_steps(plan.steps_per_epoch)
    return LearningRate(base, base * factor * rule.times, arguments, warmup)


def rate_growth(optimizer: str, factor: float) -> float | None:
    """Return by what the rate of an optimizer is multiplied where the batch grows by a factor.

    None where no rule is known for it.
    """
    known = keras_registry.class_name("optimizers", optimizer)
    if known in LINEAR:
        return factor
    return math.sqrt(factor) if known in SQUARE_ROOT else None


def learning_rate_notes(rate: LearningRate, plan: Plan) -> Iterator[str]:
    """Yield what is no fault but should be known of a learning rate."""
    if rate.warmup_steps >= plan.total_steps:
        warmup = counted(rate.warmup_steps, "step")
        yield (
            f"at batch size {plan.batch_size:,} the warm-up takes {warmup}, of "
            f"{plan.total_steps:,} that there are: the learning rate never reaches {rate.value:g}"
        )


def _scaled(spec: Spec, grown: float) -> dict[str, float]:
    known = keras_registry.class_name("optimizers", spec.optimizer.name)
    defaults = keras_registry.keras_table()["optimizers"][known]["optional"]
    given = {**defaults, **spec.optimizer.arguments}
    scaled = {beta: 1.0 - grown * (1.0 - given[beta]) for beta in BETAS}
    faults = [
        Fault(
            ("learning_rate_rule", "betas"),
            f"{beta} would be {value:.3g} at a batch {grown:g} times base_batch_size; it must be "
            f"above 0: raise base_batch_size or {beta}, or leave betas out",
        )
        for beta, value in scaled.items()
        if value <= 0
    ]
    if faults:
        raise SpecError(faults)
    return scaled | {"epsilon": given["epsilon"] / math.sqrt(grown)}
