"""The rows that a part of a training records, and that a checkpoint keeps."""

from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.types import Row


class RecordedRows:
    """Rows at the evaluations of a run.

    Attributes:
        rows: the rows so far.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def state(self) -> State:
        """Return the rows, for a checkpoint."""
        return self.rows

    def restore(self, state: State) -> None:
        """Continue after the rows of a checkpoint."""
        self.rows[:] = state
