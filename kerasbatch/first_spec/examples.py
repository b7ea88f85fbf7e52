"""The experiments that kerasbatch ships: their specs, and the files that these name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasbatch.atomic_files import write_bytes
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.named_paths import code_beside_model, data_files, named_paths, names_code
from kerasbatch.spec.reader import SpecSource, load_spec
from kerasbatch.spec.schema import Spec
from kerasbatch.text import suggestion

PACKAGE = Path(__file__).parents[1]
FOLDERS = (PACKAGE / "examples", PACKAGE.parent / "experiments")
"""The folder in an installed package, and that of a clone."""
MAKER = "make_data.py"
"""The script that makes the data which are not shipped: those in a folder."""
SCHEMA = "spec.schema.json"
"""The schema that editors use; the first line of every spec names it."""


@dataclass(frozen=True)
class Example:
    """A shipped experiment.

    Args:
        source: its spec.
        files: the names of the files that it needs, the spec included.
        makes_data: whether a script makes its data.
        needs_trust: whether it runs code of its own.
    """

    source: SpecSource
    files: tuple[str, ...]
    makes_data: bool
    needs_trust: bool

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.source.spec.name


def examples_folder() -> Path:
    """Return the folder of the shipped experiments."""
    return next(folder for folder in FOLDERS if folder.is_dir())


def shipped_examples() -> list[Example]:
    """Return all shipped experiments, by name."""
    return [_example(load_spec(file)) for file in sorted(examples_folder().glob("*.yaml"))]


def chosen_examples(names: Sequence[str]) -> list[Example]:
    """Return shipped experiments by their names.

    Raises:
        SpecError: for names that none has.
    """
    shipped = {example.name: example for example in shipped_examples()}
    unknown = [name for name in names if name not in shipped]
    if unknown:
        faults = [_unknown(name, list(shipped)) for name in unknown]
        raise SpecError(faults)
    return [shipped[name] for name in names]


def copy_examples(examples: Sequence[Example], folder: Path) -> list[Path]:
    """Copy experiments with their files into a folder, and return the new files.

    Files that are there with the same content stay.

    Args:
        examples: the experiments.
        folder: the folder, which is made if it is missing.

    Raises:
        SpecError: if a file is there with other content; then nothing is copied.
    """
    names = dict.fromkeys(name for example in examples for name in (*example.files, SCHEMA))
    contents = {folder / name: (examples_folder() / name).read_bytes() for name in names}
    there = [file for file in contents if file.exists()]
    changed = [file for file in there if file.read_bytes() != contents[file]]
    if changed:
        message = "is there with other content; copy into another folder: -o DIR"
        raise SpecError([Fault((), message, str(file)) for file in changed])
    folder.mkdir(parents=True, exist_ok=True)
    new = [file for file in contents if file not in there]
    for file in new:
        write_bytes(file, contents[file])
    return new


def _example(source: SpecSource) -> Example:
    spec = source.spec
    named = [*data_files(spec), *_code_files(spec)]
    shipped = [name for name in named if (source.folder / name).is_file() and "/" not in name]
    makes_data = any("/" in name for name in named)
    files = dict.fromkeys([f"{spec.name}.yaml", *shipped, *([MAKER] if makes_data else [])])
    return Example(source, tuple(files), makes_data, names_code(spec))


def _code_files(spec: Spec) -> Iterator[str]:
    """Yield the files of the code that a spec names."""
    for _, name in code_beside_model(spec):
        yield name.rpartition(":")[0]
    for key, inner, kind in named_paths(spec):
        if kind == "code":
            yield getattr(getattr(spec, key), inner).rpartition(":")[0]


def _unknown(name: str, known: list[str]) -> Fault:
    hint = suggestion(name, known) or "; kerasbatch examples lists them"
    return Fault((), f"there is no example {name}{hint}")
