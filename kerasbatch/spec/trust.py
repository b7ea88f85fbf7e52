"""The access rights of a spec: files in its own folder; other files and Python code with trust.

A spec without trust can neither run code nor read files elsewhere. Symbolic links are followed
before a path is checked, so that a link in the folder gives no access to other files.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kerasbatch.errors import Location, SpecError
from kerasbatch.spec.passed.objects import PassedObjects
from kerasbatch.text import short_name


def data_folder() -> Path | None:
    """Return the folder of `$KERASBATCH_DATA`, or None if it is not set."""
    name = os.environ.get("KERASBATCH_DATA")
    return _expanded(name) if name else None


def _expanded(name: str) -> Path:
    """Return a path with `~` expanded, or unchanged if there is no such user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


@dataclass(frozen=True)
class Access:
    """The access rights of a spec.

    Args:
        folder: the folder of the spec; relative paths start here.
        trusted: whether the spec may run Python code and read files anywhere.
        objects: the objects that Python code passed beside the spec.
        results: the folder of the experiments of this command, or None.
    """

    folder: Path
    trusted: bool = False
    objects: PassedObjects = field(default_factory=PassedObjects, compare=False)
    results: Path | None = None

    def file(self, name: str, location: Location) -> Path:
        """Return the path of a file that the spec names.

        Raises:
            SpecError: if there is no such file, or if the spec may not read it.
        """
        return self._existing(name, location, stat.S_ISREG, "file")

    def directory(self, name: str, location: Location) -> Path:
        """Return the path of a folder that the spec names.

        Raises:
            SpecError: if there is no such folder, or if the spec may not read it.
        """
        return self._existing(name, location, stat.S_ISDIR, "folder")

    def file_or_directory(self, name: str, location: Location) -> Path:
        """Return the path of a file or a folder that the spec names, or one of the results.

        Errors are those of `file`.
        """
        others = () if self.results is None else (self.results,)
        return self._existing(name, location, lambda mode: True, "file or folder", others)

    def _existing(
        self,
        name: str,
        location: Location,
        is_kind: Callable[[int], bool],
        noun: str,
        others: Sequence[Path] = (),
    ) -> Path:
        """Return the path of a file or folder that the spec may read."""
        path, mode = self._allowed(name, location, others)
        if mode is None:
            message = f"there is no {noun} {name} (relative paths start at the spec)"
            raise SpecError.at(location, message)
        if not is_kind(mode):
            raise SpecError.at(location, f"{name} is not a {noun}")
        return path

    def _allowed(
        self, name: str, location: Location, others: Sequence[Path]
    ) -> tuple[Path, int | None]:
        """Return a path that the spec may read, and its mode; None if there is nothing."""
        try:
            path = self.absolute(name)
            mode = path.stat().st_mode if path.exists() else None
        except (OSError, ValueError) as error:  # a long name, a null byte, no permission
            reason = getattr(error, "strerror", None) or "it is no name of a file"
            message = f"{short_name(name)} cannot be opened: {reason}"
            raise SpecError.at(location, message) from None
        if not self.trusted and not any(
            path.is_relative_to(root) for root in self._allowed_folders(others)
        ):
            is_run = (self.folder / "record.json").exists()
            reason = "; the spec of a run names its data by absolute paths" if is_run else ""
            message = (
                f"{name} lies outside the spec's folder{reason}; copy it there, or add --trust "
                f"if you trust this spec"
            )
            raise SpecError.at(location, message)
        return path, mode

    def absolute(self, name: str) -> Path:
        """Return a path of the spec as an absolute path, with links resolved."""
        return Path(os.path.realpath(self.folder / _expanded(name)))  # resolve() raises for a loop

    def _allowed_folders(self, others: Sequence[Path]) -> Iterator[Path]:
        yield self.folder.resolve()
        for folder in others:
            yield folder.resolve()
        if data := data_folder():
            yield data.resolve()

    def code(self, name: str, location: Location) -> Path:
        """Return the Python file of a `file.py:function` in the spec.

        Raises:
            SpecError: without trust, or if there is no such file.
        """
        if not self.trusted:
            message = f"{name} runs Python code; add --trust (Python: trust=True) if you trust it"
            raise SpecError.at(location, message)
        return self.file(name.rpartition(":")[0], location)
