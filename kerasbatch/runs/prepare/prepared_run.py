"""A checked run, ready to train; plain data, which can pass between processes."""

import contextlib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.records.checkpoints.state_files import (
    ARRAYS,
    STATE,
    read_state,
    state_of_files,
)
from kerasbatch.records.stored_files import StoredFileError, open_stored
from kerasbatch.runs.prepare.chosen_weights import ChosenWeights
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.steps import Plan
from kerasbatch.types import Engine
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
class CompiledModel:
    """The facts about a model that is built and compiled.

    Args:
        weights: the number of its weights.
        optimizer: the class of its optimizer.
        rate: the learning rate of its optimizer, or None for a schedule.
        logged: the names of loss and metrics in Keras' logs.
        of_model: the keys of the spec that are left to the model's own compilation.
    """

    weights: int
    optimizer: str
    rate: float | None
    logged: tuple[str, ...]
    of_model: tuple[str, ...] = ()


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
class ResumePoint:
    """The checkpoint from which a run goes on.

    Args:
        path: its directory.
        is_own: whether it is a checkpoint of this run, and not of a shorter one.
        facts: the facts of the process that wrote it.
        entries: a mapping for each time that the run went on, with the step, and what differed
            then from the process that wrote the checkpoint; the last one is this time.
        files: the content of its files, for a worker that does not see the directory; or None.
    """

    path: Path
    is_own: bool
    facts: Mapping[str, Any]
    entries: tuple[Mapping[str, Any], ...]
    files: Mapping[str, bytes] | None = None

    @property
    def engine(self) -> Engine:
        """The engine that wrote it, which goes on."""
        return cast(Engine, self.facts["engine"])

    def mark(self, differences: Iterable[str]) -> None:
        """Add what differs, as only the process that trains can know, to the last entry."""
        self.entries[-1]["differs"].extend(differences)

    def with_files(self) -> "ResumePoint":
        """Return it with the content of its files; without a file that cannot be read."""
        files = {}
        for name in (STATE, ARRAYS):
            with (
                contextlib.suppress(OSError, StoredFileError),  # its run fails, and no other
                open_stored(self.path / name, in_parts=True) as stream,
            ):
                files[name] = stream.read()
        return replace(self, files=files)

    def state(self) -> State:
        """Return the state of the training.

        Raises:
            StoredFileError: if a file is missing or damaged.
        """
        return read_state(self.path) if self.files is None else state_of_files(self.files)


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
        family: equal for runs that differ in the length of their budget alone; None if the run
            depends on it.
        compiled: its compiled model, or None if it was not built.
        weights: the file of its initial weights; None if they are drawn.
        directory: its directory, while it is trained; else None.
        resume: the checkpoint from which it goes on, or None.
        checkpoints: the folder of its checkpoints, while it is trained; None for a worker that
            sends them as messages.
    """

    single: SingleRun
    plan: Plan
    rate: LearningRate
    run_id: str
    data: DataInfo
    program_key: str
    code: tuple[CodeSnapshot, ...] = ()
    cap: Cap | None = None
    family: str | None = None
    compiled: CompiledModel | None = None
    weights: ChosenWeights | None = None
    directory: str | None = None
    resume: ResumePoint | None = None
    checkpoints: str | None = None

    @property
    def logged(self) -> tuple[str, ...]:
        """The names of loss and metrics in Keras' logs."""
        return self.compiled.logged if self.compiled else tuple(self.single.spec.logged_metrics())

    @property
    def optimizer(self) -> str:
        """The optimizer as the spec names it; one of own code by its class."""
        optimizer = self.single.spec.optimizer
        is_named = not (optimizer.is_own or optimizer.is_of_model)
        return optimizer.name if is_named or not self.compiled else self.compiled.optimizer

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
