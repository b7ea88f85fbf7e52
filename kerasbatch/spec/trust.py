"""What a spec may reach: files in its own folder, others and Python code only with trust.

A spec from a stranger can neither run code nor read files elsewhere. Symbolic links are followed
before a path is judged, so a link in the folder leads nowhere else.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasbatch.errors import Location, SpecError


def data_folder() -> Path | None:
    """Return the folder that `$KERASBATCH_DATA` names, or None where it is not set."""
    name = os.environ.get("KERASBATCH_DATA")
    return _expanded(name) if name else None


def _expanded(name: str) -> Path:
    """Return a path with `~` opened; as it is written where there is no such user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


@dataclass(frozen=True)
class Access:
    """The rights of one spec.

    Args:
        folder: the folder of the spec; relative paths start here.
        trusted: whether the spec may run Python code and read files anywhere.
    """

    folder: Path
    trusted: bool = False

    def file(self, name: str, location: Location) -> Path:
        """Return the path of a file that the spec names.

        Raises:
            SpecError: if it is not there, no file, or outside of what the spec may read.
        """
        path = self.absolute(name)
        if not self.trusted and not any(path.is_relative_to(home) for home in self._homes()):
            of_a_run = (self.folder / "record.json").exists()
            whose = "; the spec of a run names its data by their place" if of_a_run else ""
            message = (
                f"{name} lies outside the spec's folder{whose}; copy it there, or add --trust "
                f"if you trust this spec"
            )
            raise SpecError.at(location, message)
        if not path.exists():
            raise SpecError.at(
                location, f"there is no file {name} (relative paths start at the spec)"
            )
        if not path.is_file():
            raise SpecError.at(location, f"{name} is not a file")
        return path

    def absolute(self, name: str) -> Path:
        """Return a path of the spec as an absolute one, links followed."""
        return (self.folder / _expanded(name)).resolve()

    def _homes(self) -> Iterator[Path]:
        yield self.folder.resolve()
        if data := data_folder():
            yield data.resolve()

    def code(self, name: str, location: Location) -> Path:
        """Return the Python file of `file.py:function`, which the spec wants to run.

        Raises:
            SpecError: without trust, or if there is no such file.
        """
        if not self.trusted:
            message = f"{name} runs Python code; add --trust if you trust this spec"
            raise SpecError.at(location, message)
        return self.file(name.rpartition(":")[0], location)
