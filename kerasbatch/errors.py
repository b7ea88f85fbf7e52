"""The exceptions that kerasbatch raises on purpose.

    KerasbatchError
    ├── SpecError (a ValueError too)   a spec, command line or argument is wrong
    │   └── DataUnavailableError       a built-in data set can neither be found nor downloaded
    ├── EngineError                    the fused engine was asked for and cannot work here
    ├── StepMismatchError              the steps observed are not the steps planned (own callback)
    ├── DirectoryInUseError            another process owns the experiment's directory
    └── WorkerError                    no worker lives long enough to train anything

Anything else that comes out is a bug, or an error of the user's own code.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

Location = tuple[str | int, ...]
"""Where in a spec: keys and list positions, from the outermost in."""


class KerasbatchError(Exception):
    """The root of every error that kerasbatch raises on purpose."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a spec.

    Args:
        location: the keys that lead to the faulty place; empty for the whole spec.
        message: what was found, what must hold and what to write instead.
        file: the file it stands in, when there is one.
        line: its line, counted from 1.
        column: its column, counted from 1.
        at_key: whether the key is at fault, and not the value behind it.
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
    """A spec, a command line or an argument is wrong: all its faults, none of them guessed.

    Attributes:
        faults: every fault that was found, in the order of the file.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)

    @classmethod
    def at(cls, location: Sequence[str | int], message: str) -> "SpecError":
        """Make an error of a single fault at a place in the spec."""
        return cls([Fault(tuple(location), message)])

    def with_faults(self, faults: Iterable[Fault]) -> Self:
        """Return the same error with other faults, those that know their place for instance."""
        other = copy.copy(self)
        other.faults = tuple(faults)
        return other


class DataUnavailableError(SpecError):
    """A built-in data set can neither be found on this machine nor downloaded.

    Args:
        faults: the single fault, with the ways to provide the data.
        reason: why it cannot be had, in a few words.
    """

    def __init__(self, faults: Iterable[Fault], reason: str = "") -> None:
        super().__init__(faults)
        self.reason = reason


class EngineError(KerasbatchError):
    """The fused engine was asked for, and cannot work with this model, data or callbacks."""


class StepMismatchError(KerasbatchError):
    """The steps that were observed are not the steps that were planned."""


class DirectoryInUseError(KerasbatchError):
    """Another process is writing into the experiment's directory."""


class WorkerError(KerasbatchError):
    """A worker ended before it could train anything."""


def dotted(location: Location) -> str:
    """Write a location the way a person reads it: `model.layers[1].Dense.units`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
