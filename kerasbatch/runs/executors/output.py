"""The treatment of the output of workers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """The treatment of the output of workers.

    Args:
        shown: whether standard output and error of runs are shown; else a file keeps their end.
        logged: whether they include the log of TensorFlow.
    """

    shown: bool = False
    logged: bool = False


HIDDEN = Output()
