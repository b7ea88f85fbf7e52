"""The models that a run saves during its training."""

from collections import deque
from collections.abc import Iterator

import keras

from kerasbatch.models.serialization import keras_file_content
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.records.file_names import CHECKPOINT, PREPROCESSING
from kerasbatch.runs.messages import DeletedFile, Emit, SavedFile
from kerasbatch.runs.training.job import TrainingJob
from kerasbatch.runs.training.saved_models import preprocessing_content
from kerasbatch.types import Row


class PeriodicModels:
    """Saves the model at the evaluations that the spec asks for, and keeps the last ones.

    Where evaluations are rarer, it is saved at the first one from then on.

    Args:
        job: the input of the training.
        emit: receives the files.
    """

    def __init__(self, job: TrainingJob, emit: Emit) -> None:
        self._job, self._emit = job, emit
        self._model: keras.Model = job.model
        self._spec = job.spec.saved_every
        self._kept: deque[str] = deque()
        self._steps: Iterator[int] = iter(())
        self._next: int | None = None
        self._last = 0
        if self._spec is not None:
            every = self._spec.every
            self._steps = job.plan.evaluation_steps(every.kind, every.amount)
            self._next = next(self._steps, None)

    def on_evaluation(self, row: Row) -> None:
        """Save the model if it is due."""
        self._last = step = int(row["step"])
        loss = row.get(f"{self._job.prefix}loss")
        if self._spec is None or not self._is_due(step) or loss != loss:
            return  # weights of a loss that is NaN would push out the last good ones
        if not self._kept:
            content = preprocessing_content(self._model, self._job.data, self._job.code)
            self._emit(SavedFile(PREPROCESSING, content))
        name = CHECKPOINT.format(step=step)
        self._emit(SavedFile(name, keras_file_content(self._model)))
        self._kept.append(name)
        while len(self._kept) > self._spec.keep:
            self._emit(DeletedFile(self._kept.popleft()))

    def state(self) -> State:
        """Return the last step and the kept files, for a checkpoint."""
        return {"step": self._last, "kept": list(self._kept)}

    def restore(self, state: State) -> None:
        """Continue after the last evaluation before a checkpoint."""
        self._kept = deque(state["kept"])
        self._is_due(state["step"])

    def _is_due(self, step: int) -> bool:
        is_due = False
        while self._next is not None and self._next <= step:
            is_due = is_due or self._next > 0
            self._next = next(self._steps, None)
        return is_due
