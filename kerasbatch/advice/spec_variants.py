"""Variants of a spec with some keys replaced; paths stay relative to its folder."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kerasbatch.planning import plan
from kerasbatch.spec.check import check_spec
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.learning_rate import rate_at, resolve_learning_rate
from kerasbatch.spec.overrides import AUTO, RATE
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.schema import BUDGETS, Spec

EVALUATION_GROWTH = 1.1
"""The factor between the steps of two evaluations: a target is seen at most 10 % too late."""


def spec_variant(source: SpecSource, **changes: Any) -> SpecSource:
    """Return the spec with other values; None removes a key, and a budget replaces another.

    Raises:
        SpecError: if a value is not legal for its key.
    """
    plain = source.spec.plain()
    if set(changes) & set(BUDGETS):
        plain = {key: value for key, value in plain.items() if key not in BUDGETS}
    plain = {key: value for key, value in (plain | changes).items() if value is not None}
    tree = Tree(plain)
    return SpecSource(check_spec(tree, default_name=source.spec.name), tree, source.folder)


def tuning_sweep(
    source: SpecSource,
    name: str,
    sizes: Iterable[int],
    rates: Mapping[int, Sequence[float]] | None = None,
    *,
    at_most: int = 8,
    seeds: Sequence[int] = (),
) -> SpecSource:
    """Return a sweep to the target over batch sizes, in which each has its own learning rates.

    Args:
        source: a single-run spec with a target.
        name: the name of the experiment.
        sizes: the batch sizes.
        rates: learning rates by batch size; sizes without any are searched, all of them, if there
            is a rule for the optimizer.
        at_most: the largest number of rates beyond the first three of a search, on each side.
        seeds: the seeds; if empty, that of the spec.
    """
    sizes = list(sizes)
    sweep: dict[str, Any] = {"batch_size": sizes}
    if rates and all(rates.get(size) for size in sizes):
        by_size = {str(size): list(rates[size]) for size in sizes}
        sweep[RATE] = {"per_batch_size": by_size}
    elif has_rate_rule(source.spec):
        sweep[RATE] = {AUTO: {"at_most": at_most}}
    if seeds:
        sweep["seed"] = list(seeds)
    return train_to_target(source, name=name, sweep=sweep)


def has_rate_rule(spec: Spec) -> bool:
    """Return whether a rule says how the learning rate of a spec follows the batch size."""
    return rate_at(spec, 1, 1) is not None


def train_to_target(source: SpecSource, **changes: Any) -> SpecSource:
    """Return a spec that stops at its target, evaluates often, and saves nothing else."""
    target = source.spec.plain()["target"] | {"stop": True}
    interval = {"growth": EVALUATION_GROWTH}
    return spec_variant(
        source, target=target, evaluate_every=interval, save=[], record=[], callbacks=[], **changes
    )


def numeric_batch_size(spec: Spec, n: int) -> int:
    """Return the batch size of a spec as a number, for n training examples."""
    return n if spec.batch_size == "full" else spec.batch_size


def without_rule(source: SpecSource, n: int) -> SpecSource:
    """Return the spec with its learning rate rule replaced by the rate that the rule gives."""
    spec, rule = source.spec, source.spec.learning_rate_rule
    rate = resolve_learning_rate(spec, plan(n, batch_size=spec.batch_size, epochs=1))
    if rule.rule == "none" or rate.value is None:
        return source
    optimizer = {**spec.plain().get("optimizer", {}), "learning_rate": rate.value, **rate.arguments}
    plain = spec.plain()["learning_rate_rule"]
    schedule = {key: plain[key] for key in ("warmup", "decay", "final") if key in plain}
    return spec_variant(source, optimizer=optimizer, learning_rate_rule=schedule or None)
