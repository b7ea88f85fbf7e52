"""The experiments that kerasbatch ships: their specs, and the files that these name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasbatch.atomic_files import write_bytes
from kerasbatch.errors import Fault, KerasbatchError, SpecError
from kerasbatch.spec.named_paths import names_code
from kerasbatch.spec.reader import SpecSource, load_spec
from kerasbatch.spec.stored_schema import WeightsOfExperiment
from kerasbatch.text import suggestion

PACKAGE = Path(__file__).parents[1]
FOLDERS = (PACKAGE / "examples", PACKAGE.parent / "experiments")
"""The folder in an installed package, and that of a clone."""
MAKER = "make_data.py"
"""The script that makes the data which are not shipped."""
SCHEMA = "spec.schema.json"
"""The schema that editors use; every spec names it."""
_FILE_NAME = re.compile(r"\b[\w-]+\.(?:csv|py|yaml|schema\.json)\b")


@dataclass(frozen=True)
class Example:
    """A shipped experiment.

    Args:
        source: its spec.
        files: the names of the files that it needs, the spec included.
        start: the experiment that trains its initial weights, or None.
    """

    source: SpecSource
    files: tuple[str, ...]
    start: str | None

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.source.spec.name

    @property
    def makes_data(self) -> bool:
        """True if a script makes its data."""
        return MAKER in self.files

    @property
    def needs_trust(self) -> bool:
        """True if it runs code of its own."""
        return names_code(self.source.spec)


def examples_folder() -> Path:
    """Return the folder of the shipped experiments.

    Raises:
        KerasbatchError: if there is none.
    """
    for folder in FOLDERS:
        if (folder / SCHEMA).is_file():
            return folder
    raise KerasbatchError(f"{FOLDERS[0]} is missing; install kerasbatch again")


def shipped_examples() -> list[Example]:
    """Return all shipped experiments, by name."""
    return [_example(file) for file in sorted(examples_folder().glob("*.yaml"))]


def chosen_examples(names: Sequence[str]) -> list[Example]:
    """Return shipped experiments by their names, each after the one that trains its weights.

    Raises:
        SpecError: for names that none has.
    """
    shipped = {example.name: example for example in shipped_examples()}
    if unknown := [name for name in names if name not in shipped]:
        raise SpecError([_unknown(name, list(shipped)) for name in unknown])
    ordered = (example for name in names for example in _with_start(name, shipped))
    return list({example.name: example for example in ordered}.values())


def copy_examples(examples: Sequence[Example], folder: Path) -> list[Path]:
    """Copy experiments with their files into a folder, and return the new files.

    Files with the same content stay.

    Args:
        examples: the experiments.
        folder: the folder, which is made if it is missing.

    Raises:
        SpecError: if a file of that name has other content; then nothing is copied.
    """
    names = dict.fromkeys(name for example in examples for name in example.files)
    shipped = examples_folder()
    contents = {folder / name: (shipped / name).read_bytes() for name in names}
    existing = [file for file in contents if file.exists()]
    different = [file for file in existing if file.read_bytes() != contents[file]]
    if different:
        message = "is there with other content; copy into another folder: -o DIR"
        raise SpecError([Fault((), message, str(file)) for file in different])
    folder.mkdir(parents=True, exist_ok=True)
    copied = [file for file in contents if file not in existing]
    for file in copied:
        write_bytes(file, contents[file])
    return copied


def _example(file: Path) -> Example:
    """Return the example of a spec; it needs every shipped file that its text names."""
    source = load_spec(file)
    named = _FILE_NAME.findall(source.text or "")
    files = dict.fromkeys([file.name, *(name for name in named if (file.parent / name).is_file())])
    weights = source.spec.initial_weights
    start = weights.experiment if isinstance(weights, WeightsOfExperiment) else None
    return Example(source, tuple(files), start)


def _with_start(name: str, shipped: dict[str, Example]) -> list[Example]:
    """Return an example after those that train its initial weights."""
    example = shipped[name]
    return [*(_with_start(example.start, shipped) if example.start else []), example]


def _unknown(name: str, names: list[str]) -> Fault:
    hint = suggestion(name, names) or "; kerasbatch examples lists them"
    return Fault((), f"there is no example {name}{hint}")
