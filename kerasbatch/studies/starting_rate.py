"""The learning rate to start from at a batch size: a rule's, and therefore no result."""

from collections.abc import Iterable

from kerasbatch.spec import keras_names, learning_rate
from kerasbatch.spec.keys import Spec
from kerasbatch.spec.specfile import Source
from kerasbatch.steps import plan
from kerasbatch.studies.variants import variant


def size_of(spec: Spec, n: int) -> int:
    """Return the batch size of a spec as a number, of so many training examples."""
    return n if spec.batch_size == "full" else spec.batch_size


def rate_at(spec: Spec, size: int, other: int) -> float | None:
    """Return the learning rate to start from at another batch size, by the rule for the optimizer.

    None where it is a schedule, or no rule is known.

    Args:
        spec: a spec whose rate is right at `size`.
        size: its batch size.
        other: another batch size.
    """
    given = spec.optimizer.arguments.get("learning_rate")
    grown = learning_rate.growth(spec.optimizer.name, other / size)
    if isinstance(given, dict) or grown is None:
        return None
    name = spec.optimizer.name
    base = float(given) if given is not None else keras_names.default_learning_rate(name)
    return base * grown


def around(spec: Spec, n: int, size: int, times: Iterable[float]) -> list[float]:
    """Return the rule's rate at a batch size, times these; empty where no rule is known.

    Args:
        spec: a spec whose rate is right at its own batch size.
        n: its training examples.
        size: another batch size.
        times: what the rate is multiplied by.
    """
    rate = rate_at(spec, size_of(spec, n), size)
    return [] if rate is None else [float(f"{rate * each:.4g}") for each in times]


def without_rule(source: Source, n: int) -> Source:
    """Return a spec whose rate is written out: what its rule gives at its size."""
    spec, rule = source.spec, source.spec.learning_rate_rule
    rate = learning_rate.resolve(spec, plan(n, batch_size=spec.batch_size, epochs=1))
    if rule.rule == "none" or rate.value is None:
        return source
    optimizer = {**spec.plain()["optimizer"], "learning_rate": rate.value, **rate.arguments}
    warmup = spec.plain()["learning_rate_rule"].get("warmup")
    kept = {"rule": "none", "warmup": warmup} if warmup else None
    return variant(source, optimizer=optimizer, learning_rate_rule=kept)
