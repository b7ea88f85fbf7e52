"""The exceptions that kerasbatch raises.

    KerasbatchError
    ├── SpecError (a ValueError too)   a spec, command line or argument is wrong
    │   └── DataUnavailableError       a built-in data set is neither stored here nor downloadable
    ├── EngineError                    the fused engine was requested and does not work here
    ├── StepMismatchError              the observed steps differ from the planned ones (StepCounter)
    ├── DirectoryInUseError            another process owns the experiment's directory
    └── WorkerError                    no worker lives long enough to train a run

Any other exception is a bug of kerasbatch or an error of the user's own code.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

Location = tuple[str | int, ...]
"""A place in a spec: keys and list positions, the outermost first."""


class KerasbatchError(Exception):
    """The base class of every error that kerasbatch raises."""


@dataclass(frozen=True)
class Fault:
    """One fault of a spec.

    Args:
        location: the keys that lead to the fault; empty for the spec as a whole.
        message: the value found, the rule it breaks, and what to write instead.
        file: the file of the fault, if there is one.
        line: the line, counted from 1.
        column: the column, counted from 1.
        at_key: whether the key is at fault rather than its value.
    """

    location: Location
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    at_key: bool = False

    def __str__(self) -> str:
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        place = ":".join([self.file, *numbers]) if self.file else ""
        return ": ".join(part for part in (place, dotted(self.location), self.message) if part)


class SpecError(KerasbatchError, ValueError):
    """A spec, a command line or an argument is wrong; the error holds all its faults.

    Attributes:
        faults: all faults, in the order of the file.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)

    @classmethod
    def at(cls, location: Sequence[str | int], message: str) -> "SpecError":
        """Return an error with a single fault at a place in the spec."""
        return cls([Fault(tuple(location), message)])

    def with_faults(self, faults: Iterable[Fault]) -> Self:
        """Return a copy of the error with other faults, for instance with their lines filled in."""
        other = copy.copy(self)
        other.faults = tuple(faults)
        return other


class DataUnavailableError(SpecError):
    """A built-in data set is neither on this machine nor downloadable.

    Args:
        faults: the single fault, with the ways to provide the data.
        reason: the reason in a few words.
    """

    def __init__(self, faults: Iterable[Fault], reason: str = "") -> None:
        super().__init__(faults)
        self.reason = reason


class EngineError(KerasbatchError):
    """The fused engine was requested and does not support this model, data or callbacks."""


class StepMismatchError(KerasbatchError):
    """The observed steps differ from the planned steps."""


class DirectoryInUseError(KerasbatchError):
    """Another process is writing into the experiment's directory."""


class WorkerError(KerasbatchError):
    """A worker ended before it could train a run."""


def dotted(location: Location) -> str:
    """Return a location as text, such as `model.layers[1].Dense.units`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
