"""Specs like a given one, with some keys in place of others; paths start where its own do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kerasbatch.analysis.comparison.target import parse_target
from kerasbatch.errors import SpecError
from kerasbatch.planning import plan
from kerasbatch.spec import keras_registry
from kerasbatch.spec import sweep as sweeps
from kerasbatch.spec.check import check_spec
from kerasbatch.spec.learning_rate import rate_growth, resolve_learning_rate
from kerasbatch.spec.reader import SpecSource, resolve_spec
from kerasbatch.spec.schema import BUDGETS, Spec
from kerasbatch.spec.yaml_tree import Tree

OFTEN = 1.1
"""Evaluations grow apart by this factor: a target is passed at most a tenth too late."""


def spec_variant(source: SpecSource, **changes: Any) -> SpecSource:
    """Return a spec with other values; None takes a key away, one budget replaces another.

    Raises:
        SpecError: if a value is not one of its key.
    """
    plain = source.spec.plain()
    if set(changes) & set(BUDGETS):
        plain = {key: value for key, value in plain.items() if key not in BUDGETS}
    plain = {key: value for key, value in (plain | changes).items() if value is not None}
    tree = Tree(plain)
    return SpecSource(check_spec(tree, default_name=source.spec.name), tree, source.folder)


def single_run_spec(spec: Any, overrides: Iterable[str], target: str | None) -> SpecSource:
    """Read the spec of a single run, with the target that was asked for.

    Raises:
        SpecError: if the spec or the target is wrong, or there is a sweep.
    """
    source = resolve_spec(spec, overrides)
    with source.located():
        if len(sweeps.expand(source)) != 1 or source.spec.sweep:
            raise SpecError.at(("sweep",), "advice is about a single run; leave the sweep out")
        if target is None:
            return source
        wanted = parse_target(target).model_dump(exclude_none=True)
        return spec_variant(source, target=wanted | {"stop": True})


def tuning_sweep(
    source: SpecSource, name: str, rates: Mapping[int, Sequence[float]], seeds: Sequence[int] = ()
) -> SpecSource:
    """Return a sweep to the target: batch sizes, each with learning rates of its own.

    Args:
        source: a single-run spec with a target.
        name: of the experiment.
        rates: by batch size; where they are empty, every size has the rate of the spec.
        seeds: where there are none, there is that of the spec.
    """
    sweep: dict[str, Any] = {"batch_size": list(rates)}
    if all(rates.values()):
        by_size = {str(size): list(each) for size, each in rates.items()}
        sweep["optimizer.learning_rate"] = {"per_batch_size": by_size}
    if seeds:
        sweep["seed"] = list(seeds)
    return train_to_target(source, name=name, batch_size=next(iter(rates)), sweep=sweep)


def train_to_target(source: SpecSource, **changes: Any) -> SpecSource:
    """Return a spec that trains up to its target, looks for it often, and keeps nothing else."""
    target = source.spec.plain()["target"] | {"stop": True}
    often = {"growth": OFTEN}
    return spec_variant(
        source, target=target, evaluate_every=often, save=[], record=[], callbacks=[], **changes
    )


def numeric_batch_size(spec: Spec, n: int) -> int:
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
    grown = rate_growth(spec.optimizer.name, other / size)
    if isinstance(given, dict) or grown is None:
        return None
    name = spec.optimizer.name
    base = float(given) if given is not None else keras_registry.default_learning_rate(name)
    return base * grown


def rates_around(spec: Spec, n: int, size: int, times: Iterable[float]) -> list[float]:
    """Return the rule's rate at a batch size, times these; empty where no rule is known.

    Args:
        spec: a spec whose rate is right at its own batch size.
        n: its training examples.
        size: another batch size.
        times: what the rate is multiplied by.
    """
    rate = rate_at(spec, numeric_batch_size(spec, n), size)
    return [] if rate is None else [float(f"{rate * each:.4g}") for each in times]


def without_rule(source: SpecSource, n: int) -> SpecSource:
    """Return a spec whose rate is written out: what its rule gives at its size."""
    spec, rule = source.spec, source.spec.learning_rate_rule
    rate = resolve_learning_rate(spec, plan(n, batch_size=spec.batch_size, epochs=1))
    if rule.rule == "none" or rate.value is None:
        return source
    optimizer = {**spec.plain()["optimizer"], "learning_rate": rate.value, **rate.arguments}
    warmup = spec.plain()["learning_rate_rule"].get("warmup")
    kept = {"rule": "none", "warmup": warmup} if warmup else None
    return spec_variant(source, optimizer=optimizer, learning_rate_rule=kept)
