"""The plans of a spec's runs, made without TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kerasbatch.planning import plan_budget
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.equal_runs import refuse_equal_runs
from kerasbatch.spec.learning_rate import learning_rate_notes, resolve_learning_rate
from kerasbatch.spec.named_paths import code_beside_model
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.rules.check_rules import spec_notes
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access
from kerasbatch.steps import Plan


@dataclass(frozen=True)
class PlannedRun:
    """A run and its counts.

    Args:
        single: its spec, and its swept values.
        plan: its counts.
        held_back: the number of training examples that are used for validation.
        notices: messages for the user.
        description: what the model learns from, as texts by their titles; empty for built-in data.
    """

    single: SingleRun
    plan: Plan
    held_back: int
    notices: tuple[str, ...]
    description: Mapping[str, str]


def plan_runs(source: SpecSource, access: Access) -> list[PlannedRun]:
    """Plan every run of a spec.

    Raises:
        SpecError: if the grid, a size or a learning rate is wrong, or data cannot be read.
    """
    planned, loader = [], DataLoader(access)
    with source.located():
        for single in expand(source):
            with single.located():
                spec, sizes = single.spec, loader.sizes(single.spec)
                if isinstance(spec.model, PythonModel):
                    access.file(spec.model.python.rpartition(":")[0], ("model", "python"))
                for place, name in code_beside_model(spec):
                    access.file(name.rpartition(":")[0], place)
                n = sizes.train_examples
                run_plan = plan_budget(n, spec.batch_size, spec.length, spec.partial_batch)
                rate = resolve_learning_rate(spec, run_plan)
            notes = (*spec_notes(spec), *learning_rate_notes(spec, rate, run_plan))
            notices = tuple(text for text in (sizes.notice, *notes) if text)
            planned.append(
                PlannedRun(single, run_plan, sizes.held_back, notices, sizes.description)
            )
        refuse_equal_runs(((run.single, run.plan) for run in planned), access)
    return planned if source.spec.budget is None else list(_with_common_budget(planned))


def _with_common_budget(planned: Sequence[PlannedRun]) -> Iterator[PlannedRun]:
    """Yield runs with the budget of the smallest size, in steps, as an automatic budget has it."""
    smallest: dict[int, Plan] = {}
    for run in sorted(planned, key=lambda run: run.plan.batch_size):
        smallest.setdefault(run.plan.train_examples, run.plan)
    for run in planned:
        steps = smallest[run.plan.train_examples].total_steps
        yield replace(run, plan=run.plan.with_budget("steps", steps))
