"""The files of a folder of classes: parts, classes, files; nothing is opened."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kerasbatch.cache.file_hashes import Stamp, stamp_of
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.text import counted, short_name, shortened

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "val"),
    "test": ("test",),
}
"""The parts of a data set, with the names of their folders."""
PART_OF = {name: part for part, names in PARTS.items() for name in names}
"""The part of each name."""
MAX_NAMED = 3
"""The files that are left out and named one by one."""


@dataclass(frozen=True)
class ClassFile:
    """A file of a class.

    Args:
        name: its path from the folder, with slashes.
        label: the number of its class.
        stamp: its size, time and inode.
    """

    name: str
    label: int
    stamp: Stamp


@dataclass(frozen=True)
class ClassFiles:
    """The files of a folder.

    Args:
        folder: the folder.
        classes: the names of the classes, in their order.
        parts: the files of each part, by class and then by name.
        notice: a message for the user about what is left out, or None.
    """

    folder: Path
    classes: tuple[str, ...]
    parts: Mapping[str, Sequence[ClassFile]]
    notice: str | None = None

    @property
    def stamps(self) -> dict[str, Stamp]:
        """The stamps of all files, by name."""
        return {file.name: file.stamp for files in self.parts.values() for file in files}

    def counts(self, part: str) -> list[int]:
        """Return the number of files of each class in a part."""
        counts = [0] * len(self.classes)
        for file in self.parts[part]:
            counts[file.label] += 1
        return counts


@dataclass
class _Scan:
    """The state of a walk through a folder.

    Args:
        root: the folder of the data, with links resolved.
        endings: the endings of the files to take, in lower case.
        trusted: whether links may lead out of the folder.
    """

    root: Path
    endings: frozenset[str]
    trusted: bool
    left_out: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def files(self, folder: Path) -> Iterator[tuple[str, Stamp]]:
        """Yield the files below a folder, by name, with their stamps."""
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            name = Path(entry.path).relative_to(self.root).as_posix()
            if entry.name.startswith("."):
                self.left_out.append(name)
            elif entry.is_symlink() and not self.may_follow(Path(entry.path)):
                self.outside.append(name)
            elif entry.is_dir():
                if entry.is_symlink():  # a folder that is read at its own place, or a loop
                    self.left_out.append(name)
                else:
                    yield from self.files(Path(entry.path))
            elif entry.is_file() and Path(entry.name).suffix.lower() in self.endings:
                yield name, stamp_of(entry.stat())
            else:
                self.left_out.append(name)

    def may_follow(self, link: Path) -> bool:
        """Return whether the target of a link may be read."""
        return self.trusted or Path(os.path.realpath(link)).is_relative_to(self.root)


def class_files(
    folder: Path, endings: frozenset[str], noun: str, where: Location, *, trusted: bool
) -> ClassFiles:
    """Return the files of a folder of classes.

    Args:
        folder: the folder: one inside it for each class, or `train`, `validation` (or `val`) and
            `test` with folders of classes.
        endings: the endings of the files to take, in lower case with their dot.
        noun: a file of them, as in `image`.
        where: the place of the folder in the spec.
        trusted: whether links may lead out of the folder.

    Raises:
        SpecError: if there are no classes with files, or the folders do not fit together.
    """
    scan = _Scan(Path(os.path.realpath(folder)), endings, trusted)
    places = _part_folders(scan, where)
    scanned = {part: dict(_by_class(scan, place)) for part, place in places.items()}
    classes = tuple(scanned["train"])
    _check(scan, scanned, noun, where)
    parts = {
        part: [
            ClassFile(name, classes.index(label), stamp)
            for label in sorted(by_class)
            for name, stamp in by_class[label]
        ]
        for part, by_class in scanned.items()
    }
    return ClassFiles(scan.root, classes, parts, _notice(scan.left_out, noun))


def _part_folders(scan: _Scan, where: Location) -> dict[str, Path]:
    """Return the folder of each part; a folder without parts is that of training."""
    inside = [entry for entry in scan.root.iterdir() if not entry.name.startswith(".")]
    names = {entry.name for entry in inside if entry.is_dir()}
    if "train" not in names:
        return {"train": scan.root}
    if len(names & set(PARTS["validation"])) > 1:
        raise SpecError.at(where, "it has the folders validation and val; keep one of them")
    if others := sorted(names - PART_OF.keys()):
        message = f"beside the folder train it has {short_name(', '.join(others))}; the parts are "
        message += "train, validation (or val) and test, so move the others elsewhere"
        raise SpecError.at(where, message)
    scan.left_out += [entry.name for entry in inside if not entry.is_dir()]
    linked = [name for name in sorted(names) if (scan.root / name).is_symlink()]
    scan.outside += [name for name in linked if not scan.may_follow(scan.root / name)]
    if scan.outside:
        raise SpecError(_outside_faults(scan, where))
    return {part: scan.root / name for name, part in PART_OF.items() if name in names}


def _by_class(scan: _Scan, place: Path) -> Iterator[tuple[str, list[tuple[str, Stamp]]]]:
    """Yield the files of each folder of a part, by the names of the folders."""
    for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
        is_hidden = entry.name.startswith(".")
        name = Path(entry.path).relative_to(scan.root).as_posix()
        if entry.is_symlink() and entry.is_dir() and not scan.may_follow(Path(entry.path)):
            scan.outside.append(name)
        elif entry.is_dir() and not is_hidden:
            yield entry.name, list(scan.files(Path(entry.path)))
        elif not (is_hidden and entry.is_dir()):
            scan.left_out.append(name)


def _check(
    scan: _Scan,
    scanned: Mapping[str, Mapping[str, list[tuple[str, Stamp]]]],
    noun: str,
    at: Location,
) -> None:
    """Raise SpecError with all that is wrong with the folders."""
    faults = _outside_faults(scan, at)
    train = scanned["train"]
    if not train:
        faults.append(Fault(at, f"it has no folders; put the {noun}s of each class into one"))
    for part, by_class in scanned.items():
        place = "" if len(scanned) == 1 else f"{part}/"
        faults += [
            Fault(at, f"{place}{label} holds no {noun}; put some in, or delete the folder")
            for label, files in by_class.items()
            if not files
        ]
        if unknown := sorted(by_class.keys() - train.keys()):
            names = short_name(", ".join(unknown))
            faults.append(Fault(at, f"{part} has classes that train does not have: {names}"))
        for files in by_class.values():
            faults += [Fault(at, message) for message in _equal_names([name for name, _ in files])]
    if len(train) == 1:
        message = f"it has one class, {short_name(next(iter(train)))}; there is nothing to tell "
        faults.append(Fault(at, f"{message}apart, so put the {noun}s of each class into a folder"))
    if faults:
        raise SpecError(faults)


def _outside_faults(scan: _Scan, at: Location) -> list[Fault]:
    message = "is a link to a place outside of the folder; copy it, or add --trust"
    return [Fault(at, f"{name} {message}") for name in scan.outside]


def _equal_names(names: Sequence[str]) -> Iterator[str]:
    """Yield a message for each two files of a class that have one name, in any case of letters."""
    first: dict[str, str] = {}
    for name in names:
        earlier = first.setdefault(Path(name).name.lower(), name)
        if earlier != name:
            yield f"{earlier} and {name} are two files of one name in one class; rename one"


def _notice(left_out: Sequence[str], noun: str) -> str | None:
    if not left_out:
        return None
    names = ", ".join(shortened(name, 40) for name in left_out[:MAX_NAMED])
    more = ", ..." if len(left_out) > MAX_NAMED else ""
    what = f"no {noun}s, or in no folder of a class"
    return f"left out: {counted(len(left_out), 'file')} ({what}): {names}{more}"
