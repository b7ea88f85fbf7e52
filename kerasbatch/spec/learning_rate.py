"""The learning rate of a run: its rule applied to the base rate and the batch size.

Sources: the linear rule for SGD, Goyal et al. 2017 (arXiv 1706.02677), with a warm-up; the
square-root rule for Adam and RMSprop, Malladi et al. 2022 (arXiv 2205.10287), which also scales
1 - beta by the factor of the batch size and epsilon by one over its square root. Both are
starting points for a search, not results. During a warm-up, the rate grows from 0.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec import keras_registry
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import Decay
from kerasbatch.steps import Plan
from kerasbatch.text import counted, show_value

BETAS = ("beta_1", "beta_2")
LINEAR = ("SGD",)
ADAM_LIKE = ("Adam", "AdamW", "Nadam", "Adamax")
"""The optimizers whose betas and epsilon the square-root rule can scale."""
ENDING = ("CosineDecay", "PolynomialDecay")
"""The schedules of Keras that end after their `decay_steps`."""
SQUARE_ROOT = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Lamb")
"""Optimizers that divide by the size of gradients; their rate grows as the root of the batch."""


@dataclass(frozen=True)
class LearningRate:
    """The learning rate and related arguments of a run's optimizer.

    Args:
        base: the rate before the rule, or None for a schedule, or where own code decides it.
        value: the rate after the rule, or None likewise.
        arguments: other optimizer arguments that the rule sets (betas, epsilon).
        warmup_steps: the steps in which the rate grows from 0 to its value; 0 without a warm-up.
        decay: the shape in which the rate falls after the warm-up, to the end of the run; or None.
        final: the rate at the end of the decay, as a part of its value.
        total_steps: the planned steps, over which the rate decays.
    """

    base: float | None
    value: float | None
    arguments: dict[str, float]
    warmup_steps: int = 0
    decay: Decay | None = None
    final: float = 0.0
    total_steps: int = 0

    @property
    def is_scheduled(self) -> bool:
        """True if the rate changes from step to step."""
        return self.warmup_steps > 0 or self.decay is not None


def resolve_learning_rate(spec: Spec, plan: Plan) -> LearningRate:
    """Return the learning rate of a spec at its batch size.

    Args:
        spec: a single-run spec.
        plan: the plan of its run.

    Raises:
        SpecError: if scaling would make a beta 0 or less.
    """
    base = written_rate(spec)
    if base is None:
        return LearningRate(None, None, {})
    rule = spec.learning_rate_rule
    growth = plan.batch_size / rule.base_batch_size
    factor = {"none": 1.0, "linear": growth, "sqrt": math.sqrt(growth)}[rule.rule]
    arguments = _scaled_arguments(spec, growth) if rule.betas else {}
    return LearningRate(
        base=base,
        value=base * factor * rule.times,
        arguments=arguments,
        warmup_steps=0 if rule.warmup is None else rule.warmup.in_steps(plan),
        decay=rule.decay,
        final=rule.final or 0.0,
        total_steps=plan.total_steps if rule.decay else 0,
    )


def written_rate(spec: Spec) -> float | None:
    """Return the learning rate of a spec, or the default of its optimizer.

    None for a schedule, and for an optimizer of own code whose rate the spec does not say.
    """
    rate = spec.optimizer.arguments.get("learning_rate")
    if isinstance(rate, dict):
        return None
    return (
        keras_registry.default_learning_rate(spec.optimizer.name) if rate is None else float(rate)
    )


def rate_growth(optimizer: str, factor: float) -> float | None:
    """Return the factor of an optimizer's learning rate for a factor of the batch size.

    None for an optimizer without a rule.
    """
    name = keras_registry.class_name("optimizers", optimizer)
    if name in LINEAR:
        return factor
    return math.sqrt(factor) if name in SQUARE_ROOT else None


def learning_rate_notes(spec: Spec, rate: LearningRate, plan: Plan) -> Iterator[str]:
    """Yield notes about a learning rate that is legal but unusual."""
    schedule: Any = spec.optimizer.arguments.get("learning_rate")
    steps = _length(schedule) if isinstance(schedule, dict) else None
    if steps is not None and round(steps) != plan.total_steps:
        shape = "cosine" if schedule["name"].startswith("Cosine") else "linear"
        yield (
            f"at batch size {plan.batch_size:,} {schedule['name']} ends after {steps:,} steps, and "
            f"the run has {plan.total_steps:,}; learning_rate_rule: {{decay: {shape}}} follows the "
            "budget"
        )
    if rate.warmup_steps >= plan.total_steps:
        warmup = counted(rate.warmup_steps, "step")
        yield (
            f"at batch size {plan.batch_size:,} the warm-up takes {warmup}, of "
            f"{plan.total_steps:,} that there are: the learning rate never reaches {rate.value:g}"
        )


def _length(schedule: Mapping[str, Any]) -> float | None:
    """Return the steps after which a schedule of Keras stays at its end; None if it never does."""
    steps, warmup = schedule.get("decay_steps"), schedule.get("warmup_steps") or 0
    if schedule.get("name") not in ENDING or schedule.get("cycle"):
        return None
    return steps + warmup if isinstance(steps, int | float) else None


def rate_at(spec: Spec, size: int, other: int) -> float | None:
    """Return the learning rate to start from at another batch size, by the rule for the optimizer.

    None if the rate is a schedule, or the optimizer has no rule.

    Args:
        spec: a spec whose rate is right at `size`.
        size: its batch size.
        other: another batch size.
    """
    base = written_rate(spec)
    growth = rate_growth(spec.optimizer.name, other / size)
    return None if base is None or growth is None else base * growth


def learning_rate_rule(spec: Spec) -> Iterator[Fault]:
    """A rule and its schedule need a number; betas need rule: sqrt and an optimizer like Adam."""
    rule, optimizer = spec.learning_rate_rule, spec.optimizer
    scaled = rule.rule != "none" or rule.times != 1.0
    rate = optimizer.arguments.get("learning_rate")
    is_schedule = isinstance(rate, dict)
    if (
        (scaled or rule.is_scheduled)
        and rate is None
        and (optimizer.is_own or optimizer.is_of_model)
    ):
        message = "a rule needs the rate of an optimizer of own code; add optimizer.learning_rate"
        yield Fault(("learning_rate_rule",), message)
    if scaled and is_schedule:
        message = "a rule scales a number, and this spec has a schedule; write a number or no rule"
        yield Fault(("optimizer", "learning_rate"), message)
    for key in ("warmup", "decay"):
        if getattr(rule, key) is not None and is_schedule and not scaled:
            message = f"a schedule says the rate of every step; write a number, or leave {key} out"
            yield Fault(("learning_rate_rule", key), message)
    if rule.warmup and len(rule.warmup.units) != 1:
        message = "must have one of epochs, steps and fraction, like {epochs: 1}"
        yield Fault(("learning_rate_rule", "warmup"), message)
    if rule.final is not None and rule.decay is None:
        message = "is the end of a decay; add decay: cosine, or leave final out"
        yield Fault(("learning_rate_rule", "final"), message)
    optimizer_class = keras_registry.class_name("optimizers", optimizer.name)
    if rule.betas and (rule.rule != "sqrt" or optimizer_class not in ADAM_LIKE):
        message = f"betas are scaled by rule: sqrt with one of {', '.join(ADAM_LIKE)} only"
        yield Fault(("learning_rate_rule", "betas"), message)


def _scaled_arguments(spec: Spec, growth: float) -> dict[str, float]:
    """Return the betas and epsilon of an optimizer for a growth of the batch size."""
    name = keras_registry.class_name("optimizers", spec.optimizer.name)
    defaults = keras_registry.keras_table()["optimizers"][name]["optional"]
    arguments = {**defaults, **spec.optimizer.arguments}
    faults = [
        Fault(("optimizer", name), f"found {show_value(value)}; must be a number for betas: true")
        for name in (*BETAS, "epsilon")
        if not isinstance(value := arguments[name], int | float)
    ]
    if faults:
        raise SpecError(faults)
    scaled = {beta: 1.0 - growth * (1.0 - arguments[beta]) for beta in BETAS}
    faults = [
        Fault(
            ("learning_rate_rule", "betas"),
            f"{beta} would be {value:.3g} at a batch {growth:g} times base_batch_size; it must be "
            f"above 0: raise base_batch_size or {beta}, or leave betas out",
        )
        for beta, value in scaled.items()
        if value <= 0
    ]
    if faults:
        raise SpecError(faults)
    return scaled | {"epsilon": arguments["epsilon"] / math.sqrt(growth)}
