"""The states of a run, as named in record.json, runs.csv and all tables."""

from enum import StrEnum


class RunStatus(StrEnum):
    """The way in which a run ended, or `unfinished`."""

    DONE = "done"
    """It took every planned step, or a callback of its spec stopped it."""
    TARGET = "target"
    """It reached its target and stopped there."""
    CAPPED = "capped"
    """It was stopped without its target: another learning rate is better, or the automatic budget
    was over."""
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    """An exception ended it."""
    CRASHED = "crashed"
    """Its process died."""
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    UNFINISHED = "unfinished"
    """It has no record: it is still running, or its process was killed. Never written."""

    def __repr__(self) -> str:
        return repr(self.value)

    @property
    def is_finished(self) -> bool:
        """True if the run has its final numbers, so that it is not trained again."""
        return self in (RunStatus.DONE, RunStatus.TARGET, RunStatus.DIVERGED)

    @property
    def is_settled(self) -> bool:
        """True if the sweep needs no more of the run: it is finished, or was given up."""
        return self.is_finished or self == RunStatus.CAPPED

    @property
    def is_failure(self) -> bool:
        """True if the run ended with an error; a diverged or interrupted run did not."""
        return self in (
            RunStatus.FAILED,
            RunStatus.CRASHED,
            RunStatus.OUT_OF_MEMORY,
            RunStatus.TIMEOUT,
        )


FINISHED = tuple(status for status in RunStatus if status.is_finished)
SETTLED = tuple(status for status in RunStatus if status.is_settled)
