"""A run that has been checked and may begin; plain data, for any process."""

from dataclasses import dataclass

from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.steps import Plan


@dataclass(frozen=True)
class DataInfo:
    """What is told of the data of a run.

    Args:
        used: the name of the data really used.
        fingerprint: a hash of the data as they came.
        notice: what a person must know, such as a fallback; or None.
        validated: whether there is a part for validation.
    """

    used: str
    fingerprint: str
    notice: str | None
    validated: bool

    @property
    def prefix(self) -> str:
        """What the names of metrics at fixed weights begin with."""
        return "val_" if self.validated else "train_"


@dataclass(frozen=True)
class PreparedRun:
    """A run that has been checked and may begin.

    Args:
        single: its spec, and what was swept.
        plan: its counts.
        rate: its learning rate, by the rule.
        run_id: the name of its directory.
        data: what is told of its data.
        structure: the same text for runs that can train the same compiled model.
        code: what tells the Python code of its model from other code; empty without any.
    """

    single: SingleRun
    plan: Plan
    rate: LearningRate
    run_id: str
    data: DataInfo
    structure: str
    code: str = ""

    @property
    def program(self) -> tuple[str, int, int]:
        """The same for runs that need no further compilation after each other."""
        return self.structure, self.plan.batch_size, self.plan.train_examples


@dataclass(frozen=True)
class CheckedRuns:
    """All runs of a spec, checked.

    Args:
        runs: the runs, in the order of the grid.
        notices: what a person must know of them.
    """

    runs: tuple[PreparedRun, ...]
    notices: tuple[str, ...] = ()
