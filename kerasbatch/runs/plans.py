"""The plans of a spec's runs, made without TensorFlow."""

from dataclasses import dataclass

from kerasbatch.spec import learning_rate, sweep
from kerasbatch.spec.access import Access
from kerasbatch.spec.specfile import Source
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.steps import Plan, plan_budget
from kerasbatch.workload.data import sizes


@dataclass(frozen=True)
class PlannedRun:
    """A run, its counts, and what a person must know of its data."""

    single: SingleRun
    plan: Plan
    notice: str | None


def plans(source: Source, access: Access) -> list[PlannedRun]:
    """Plan every run of a spec.

    Raises:
        SpecError: if the grid, a size or a learning rate is wrong, or own data cannot be read.
    """
    planned = []
    with source.located():
        for single in sweep.expand(source):
            with single.located():
                spec, known = single.spec, sizes(single.spec, access)
                n = known.train_examples
                made = plan_budget(n, spec.batch_size, spec.budget, spec.partial_batch)
                learning_rate.resolve(spec, made.batch_size)
            planned.append(PlannedRun(single, made, known.notice))
    return planned
