"""Text files in a folder for each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.folders.class_folders import ClassFiles, class_files
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.data_schema import TextFilesData
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array

PLACE: Location = ("data", "texts")
ENDINGS = frozenset({".txt"})
MAX_BYTES = 2**24
"""The size of a file from which on it is no text to train on."""


def text_files(data: TextFilesData, access: Access) -> ClassFiles:
    """Return the files of a spec's texts.

    Raises:
        SpecError: if the folder is missing, or is not one of classes.
    """
    folder = access.directory(data.texts, PLACE)
    return class_files(folder, ENDINGS, "text", PLACE, trusted=access.trusted)


def read_texts(data: TextFilesData, access: Access) -> RawArrays:
    """Return the texts of a spec; x has no columns.

    Raises:
        SpecError: if the folder cannot be used, or files are no text in UTF-8; all of them.
    """
    files = text_files(data, access)
    classes, faults = np.array(files.classes), list[Fault]()
    texts, labels = dict[str, Array](), dict[str, Array]()
    for part, part_files in files.parts.items():
        texts[part] = np.array(
            [_text(files.folder / file.name, file.name, faults) for file in part_files], object
        )
        labels[part] = classes[[file.label for file in part_files]]
    if faults:
        raise SpecError(faults)
    empty = {part: np.zeros((len(part_texts), 0)) for part, part_texts in texts.items()}
    return RawArrays(
        empty["train"],
        labels["train"],
        empty.get("test"),
        labels.get("test"),
        x_val=empty.get("validation"),
        y_val=labels.get("validation"),
        columns=(),
        texts=texts,
        notice=files.notice,
    )


def texts_of(paths: Sequence[Path], where: Location) -> Array:
    """Return the texts of some files as str in an object array.

    Raises:
        SpecError: if files are no text in UTF-8; all of them.
    """
    faults = list[Fault]()
    texts = [_text(path, str(path), faults, where) for path in paths]
    if faults:
        raise SpecError(faults)
    return np.array(texts, object)


def _text(path: Path, name: str, faults: list[Fault], where: Location = PLACE) -> str:
    """Return the text of a file; add a fault if it is none."""
    try:
        if path.stat().st_size <= MAX_BYTES:
            return path.read_text(encoding="utf-8-sig")
        faults.append(Fault(where, f"{name} has more than {MAX_BYTES // 2**20} MB"))
    except UnicodeDecodeError as error:
        faults.append(Fault(where, f"{name} is no text in UTF-8 (byte {error.start:,})"))
    except OSError as error:
        faults.append(Fault(where, f"{name} cannot be read: {error.strerror}"))
    return ""
