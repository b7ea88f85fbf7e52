"""The checkpoints of a run: written into its directory, or sent to the process that writes there.

A full disk costs a checkpoint, not the run.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kerasbatch.engine.training.start import Training
from kerasbatch.records.checkpoints.checkpoint_folder import CheckpointFolder
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.records.checkpoints.state_files import state_content
from kerasbatch.runs.messages import Emit, Notice, SavedCheckpoint, not_written
from kerasbatch.runs.training.checkpointing.checkpointer import Checkpointer, Clock, StatePart
from kerasbatch.runs.training.checkpointing.present_facts import present_facts
from kerasbatch.runs.training.checkpointing.training_state import (
    CallbackStates,
    training_parts,
)
from kerasbatch.runs.training.job import TrainingJob


class CheckpointWriter:
    """Writes the checkpoints of a run.

    Args:
        job: the input of the training.
        engine: the name of its engine.
        emit: receives a notice about a checkpoint that was not written.
        lost: a sentence about what checkpoints cannot keep, for the first one; or empty.
    """

    def __init__(self, job: TrainingJob, engine: str, emit: Emit, lost: str) -> None:
        self._job, self._engine, self._emit, self._lost = job, engine, emit, lost
        self._folder = None if job.checkpoints is None else CheckpointFolder(job.checkpoints)

    @functools.cached_property
    def _facts(self) -> dict[str, Any]:
        """The facts that are the same in every checkpoint of the training."""
        job = self._job
        return {
            "engine": self._engine,
            "saved": job.spec.plain()["save"],
            "run_id": job.run_id,
            "family": job.family,
            "budget": [job.plan.budget.kind, job.plan.budget.amount],
            "resumed": list(job.resume.entries) if job.resume else [],
            **present_facts(),
        }

    def write(self, step: int, state: State) -> None:
        """Write the state of a training after a step."""
        if self._lost:
            self._emit(Notice(self._lost))
            self._lost = ""
        facts = {**self._facts, "models": state["parts"]["periodic"]["kept"]}
        if self._folder is None:
            content = {name: [b"".join(parts)] for name, parts in state_content(state).items()}
            self._emit(SavedCheckpoint(step, content, facts))
            return
        try:
            self._folder.write(step, state, facts)
        except OSError as error:
            self._emit(not_written(step, error))


def make_checkpointer(
    job: TrainingJob,
    training: Training,
    callbacks: Sequence[keras.callbacks.Callback],
    ours: Mapping[str, StatePart],
    clock: Clock,
    emit: Emit,
    start: State | None,
) -> Checkpointer:
    """Return the callback that writes the checkpoints of a run, or goes on from one.

    Args:
        job: the input of the training.
        training: its engine.
        callbacks: the callbacks of its spec.
        ours: the other parts with a state, by name.
        clock: its clock.
        emit: receives notices.
        start: the state from which it goes on, or None.
    """
    of_spec = CallbackStates(callbacks)
    return Checkpointer(
        job.plan,
        job.spec.checkpoint,
        training=training,
        parts=training_parts(job.model, training, ours, of_spec),
        writer=CheckpointWriter(job, training.name, emit, of_spec.lost()),
        clock=clock,
        start=start,
    )
