"""The content of the Python files that a spec names, taken when its runs are checked.

The name of a run holds a hash of its code. A file that is edited while a sweep runs would train
another model under that name, so every run is compared with the snapshot of its check.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from kerasbatch.spec.trust import Access


@dataclass(frozen=True)
class CodeSnapshot:
    """A function of user code, with the content of its files.

    Args:
        name: the name in the spec, `file.py:function`.
        files: the named file and all that it imported from its folder, by their paths relative to
            this folder.
    """

    name: str
    files: Mapping[str, bytes]

    @functools.cached_property
    def fingerprint(self) -> str:
        """The name of the function, and a hash of all files."""
        digest = hashlib.sha256()
        for file in sorted(self.files):
            digest.update(f"{file}\0".encode())
            digest.update(hashlib.sha256(self.files[file]).digest())
        return f"{self.name.rpartition(':')[2]} {digest.hexdigest()}"

    @property
    def folder(self) -> PurePath:
        """Its folder, from the spec's; a folder elsewhere is not named."""
        folder = PurePath(self.name.rpartition(":")[0]).parent
        return PurePath() if folder.is_absolute() else folder

    def contents(self, access: Access) -> dict[Path, bytes]:
        """Return the content of each file by its absolute path."""
        folder = access.absolute(self.name.rpartition(":")[0]).parent
        return {folder / file: content for file, content in self.files.items()}

    def changed_files(self, access: Access) -> Iterator[str]:
        """Yield the files that are not as they were."""
        for file, content in self.contents(access).items():
            if not file.is_file() or file.read_bytes() != content:
                yield file.name


def file_hashes(snapshots: Iterable[CodeSnapshot]) -> dict[str, str]:
    """Return the SHA-256 of every file of some snapshots, by its path from the spec's folder."""
    contents = {
        str(code.folder / file): content
        for code in snapshots
        for file, content in code.files.items()
    }
    return {file: hashlib.sha256(contents[file]).hexdigest() for file in sorted(contents)}
