"""The exceptions that kerasbatch raises on purpose.

    KerasbatchError
    ├── SpecError          a spec, command line or argument is wrong; nothing was trained
    │   └── DataUnavailable    a built-in data set can neither be found nor downloaded
    ├── EngineError        the fused engine was asked for and cannot work here
    ├── StepMismatch       the steps observed are not the steps planned (standalone callback)
    └── DirectoryInUse     another process owns the experiment's directory

Anything else that comes out is a bug, or an error of the user's own code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
    """

    location: Location
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        place = ":".join([self.file, *numbers]) if self.file else ""
        return ": ".join(part for part in (place, dotted(self.location), self.message) if part)


class SpecError(KerasbatchError):
    """A spec, a command line or an argument is wrong: all its faults, none of them guessed.

    Attributes:
        faults: every fault that was found, in the order of the file.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def at(cls, location: Sequence[str | int], message: str) -> "SpecError":
        """Make an error of a single fault at a place in the spec."""
        return cls([Fault(tuple(location), message)])

    def under(self, *prefix: str | int) -> "SpecError":
        """Return the same error with every location moved below `prefix`."""
        return type(self)(replace(fault, location=prefix + fault.location) for fault in self.faults)


class DataUnavailable(SpecError):
    """A built-in data set can neither be found on this machine nor downloaded."""


class EngineError(KerasbatchError):
    """The fused engine was asked for, and cannot work with this model, data or callbacks."""


class StepMismatch(KerasbatchError):
    """The steps that were observed are not the steps that were planned."""


class DirectoryInUse(KerasbatchError):
    """Another process is writing into the experiment's directory."""


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def dotted(location: Location) -> str:
    """Write a location the way a person reads it: `model.layers[1].Dense.units`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
