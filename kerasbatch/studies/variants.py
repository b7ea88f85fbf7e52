"""Specs like a given one, with some keys in place of others; paths start where its own do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kerasbatch.analysis import target as targets
from kerasbatch.errors import SpecError
from kerasbatch.spec import specfile
from kerasbatch.spec import sweep as sweeps
from kerasbatch.spec.check import check
from kerasbatch.spec.keys import BUDGETS
from kerasbatch.spec.specfile import Source
from kerasbatch.spec.yaml_tree import Tree

OFTEN = 1.1
"""Evaluations grow apart by this factor: a target is passed at most a tenth too late."""


def variant(source: Source, **changes: Any) -> Source:
    """Return a spec with other values; None takes a key away, one budget replaces another.

    Raises:
        SpecError: if a value is not one of its key.
    """
    plain = source.spec.plain()
    if set(changes) & set(BUDGETS):
        plain = {key: value for key, value in plain.items() if key not in BUDGETS}
    plain = {key: value for key, value in (plain | changes).items() if value is not None}
    tree = Tree(plain)
    return Source(check(tree, default_name=source.spec.name), tree, source.folder)


def single(spec: Any, overrides: Iterable[str], target: str | None) -> Source:
    """Read the spec of a single run, with the target that was asked for.

    Raises:
        SpecError: if the spec or the target is wrong, or there is a sweep.
    """
    source = specfile.given(spec, overrides)
    with source.located():
        if len(sweeps.expand(source)) != 1 or source.spec.sweep:
            raise SpecError.at(("sweep",), "advice is about a single run; leave the sweep out")
        if target is None:
            return source
        goal = targets.parse(target)
        bound = "at_least" if goal.at_least else "at_most"
        return variant(source, target={"metric": goal.metric, bound: goal.value, "stop": True})


def tuning(
    source: Source, name: str, rates: Mapping[int, Sequence[float]], seeds: Sequence[int] = ()
) -> Source:
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
    return to_target(source, name=name, batch_size=next(iter(rates)), sweep=sweep)


def to_target(source: Source, **changes: Any) -> Source:
    """Return a spec that trains up to its target, looks for it often, and keeps nothing else."""
    target = source.spec.plain()["target"] | {"stop": True}
    often = {"growth": OFTEN}
    return variant(
        source, target=target, evaluate_every=often, save=[], record=[], callbacks=[], **changes
    )
