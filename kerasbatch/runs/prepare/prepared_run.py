"""A checked run, ready to train; plain data, which can pass between processes."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.steps import Plan
from kerasbatch.user_code.snapshot import CodeSnapshot


@dataclass(frozen=True)
class DataInfo:
    """The description of the data of a run.

    Args:
        used: the name of the data really used.
        fingerprint: a hash of the raw data.
        notice: a message for the user, such as a fallback; or None.
        validated: whether the data have a validation part.
        classes: the number of classes, or None if the target is a number.
        description: what the model learns from, as texts by their titles.
    """

    used: str
    fingerprint: str
    notice: str | None
    validated: bool
    classes: int | None = None
    description: Mapping[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The prefix of metrics at fixed weights."""
        return "val_" if self.validated else "train_"


@dataclass(frozen=True)
class Cap:
    """The end of a run that has not reached its target.

    Args:
        steps: it ends at its first evaluation from this step on.
        is_limit: whether this is the automatic budget; else another setting is better.
    """

    steps: int
    is_limit: bool


@dataclass(frozen=True)
class PreparedRun:
    """A checked run, ready to train.

    Args:
        single: its spec, and its swept values.
        plan: its counts.
        rate: its learning rate, by the rule.
        run_id: the name of its directory.
        data: the description of its data.
        program_key: a key that is equal for runs with the same compiled model.
        code: the Python code of its model and callbacks; the model's first.
        cap: the steps at which it ends without its target; None to train it whole.
    """

    single: SingleRun
    plan: Plan
    rate: LearningRate
    run_id: str
    data: DataInfo
    program_key: str
    code: tuple[CodeSnapshot, ...] = ()
    cap: Cap | None = None

    @functools.cached_property
    def code_key(self) -> str:
        """A key that is equal for runs of the same Python code; empty without any."""
        return "\n".join(snapshot.fingerprint for snapshot in self.code)

    @property
    def model_code(self) -> str:
        """A hash of the Python code of its model; empty if there is none."""
        is_own = isinstance(self.single.spec.model, PythonModel)
        return self.code[0].fingerprint if is_own else ""

    @property
    def program(self) -> tuple[str, int, int]:
        """A key that is equal for runs that share all compiled programs."""
        return self.program_key, self.plan.batch_size, self.plan.train_examples


@dataclass(frozen=True)
class CheckedRuns:
    """All runs of a spec, checked.

    Args:
        runs: the runs, in the order of the grid.
        notices: messages for the user.
    """

    runs: tuple[PreparedRun, ...]
    notices: tuple[str, ...] = ()
