"""The plans of a spec's runs, made without TensorFlow."""

from dataclasses import dataclass

from kerasbatch.spec import callback_rules, learning_rate, rules, sweep
from kerasbatch.spec.access import Access
from kerasbatch.spec.keys import PythonModel
from kerasbatch.spec.specfile import Source
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.steps import Plan, plan_budget
from kerasbatch.workload.data import sizes


@dataclass(frozen=True)
class PlannedRun:
    """A run and its counts.

    Args:
        single: its spec, and what was swept.
        plan: its counts.
        held_back: how many examples are taken from the training data for validation.
        notices: what a person must know of it.
    """

    single: SingleRun
    plan: Plan
    held_back: int
    notices: tuple[str, ...]


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
                if isinstance(spec.model, PythonModel):
                    access.file(spec.model.python.rpartition(":")[0], ("model", "python"))
                for number, name in callback_rules.own_names(spec):
                    place = ("callbacks", number, "python")
                    access.file(name.rpartition(":")[0], place)
                n = known.train_examples
                made = plan_budget(n, spec.batch_size, spec.budget, spec.partial_batch)
                rate = learning_rate.resolve(spec, made)
            notes = (*rules.notes(spec), *learning_rate.notes(rate, made))
            notices = tuple(text for text in (known.notice, *notes) if text)
            planned.append(PlannedRun(single, made, known.held_back, notices))
    return planned
