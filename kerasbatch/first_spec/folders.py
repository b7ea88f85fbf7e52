"""The draft of a spec for images or texts in a folder for each class."""

from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from PIL import Image, UnidentifiedImageError

from kerasbatch.data.folders.class_folders import ClassFiles, class_files
from kerasbatch.data.images.decoder import ENDINGS
from kerasbatch.data.texts.read_texts import ENDINGS as TEXT_ENDINGS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.first_spec.draft import Draft, add_training, classification
from kerasbatch.first_spec.tables import relative, text_model
from kerasbatch.text import counted

LOOKED_AT = 200
"""The images that are opened, to know their sizes, and whether some are damaged."""
LARGEST_SIDE = 96
"""Larger images are made smaller: the steps of a convolutional network take as long as they are."""
WORDS = 10_000


def draft_of_images(images: Path, folder: Path) -> Draft:
    """Return the draft of a spec for images in a folder for each class.

    Args:
        images: the folder of the images.
        folder: the folder of the spec.

    Raises:
        SpecError: if the folder is not one of classes, or no image can be opened.
    """
    files = class_files(images.resolve(), ENDINGS, "image", (), trusted=True)
    train = files.parts["train"]
    every = max(1, len(train) // LOOKED_AT)
    looks = _looks([files.folder / file.name for file in train[::every]])
    sides = looks.sides
    draft = Draft("Which batch size tells these images apart best?")
    keys: dict[str, Any] = {"images": relative(images, folder), "size": sides}
    if looks.are_grey:
        keys["channels"] = 1
    if looks.damaged:
        keys["skip_damaged"] = True
        draft.notes.append(f"{looks.damaged[0].name} is damaged; damaged images are left out")
    comment = f"{counted(len(train), 'image')}; each is brought to {sides[0]} x {sides[1]} pixels"
    draft.add("data", keys, comment)
    _add_rest(draft, files, "cnn")
    return draft


class _Looks(NamedTuple):
    """The looks of images: the height and width to use, and the files that cannot be opened."""

    sides: list[int]
    are_grey: bool
    damaged: list[Path]


def _looks(files: list[Path]) -> _Looks:
    heights, widths, modes, damaged = list[int](), list[int](), set[str](), list[Path]()
    for file in files:
        try:
            with Image.open(file) as image:
                image.load()
                widths.append(image.width)
                heights.append(image.height)
                modes.add(image.mode)
        except (OSError, UnidentifiedImageError):
            damaged.append(file)
    if not heights:
        raise SpecError([Fault((), "--images: none of the images can be opened")])
    height, width = median(heights), median(widths)
    factor = min(1.0, LARGEST_SIDE / max(height, width))
    sides = [max(8, round(height * factor)), max(8, round(width * factor))]
    return _Looks(sides, modes <= {"1", "L"}, damaged)


def draft_of_texts(texts: Path, folder: Path) -> Draft:
    """Return the draft of a spec for text files in a folder for each class.

    Arguments and errors are those of `draft_of_images`.
    """
    files = class_files(texts.resolve(), TEXT_ENDINGS, "text", (), trusted=True)
    draft = Draft("Which batch size tells these texts apart best?")
    keys = {"texts": relative(texts, folder), "words": WORDS, "length": 200}
    count = counted(len(files.parts["train"]), "text")
    draft.add("data", keys, f"{count}; their first 200 words are used")
    _add_rest(draft, files, None)
    return draft


def _add_rest(draft: Draft, files: ClassFiles, model: str | None) -> None:
    """Add the keys beside the data."""
    counts, examples = files.counts("train"), len(files.parts["train"])
    task = classification(len(counts), max(counts) / examples)
    if files.notice:
        draft.notes.append(files.notice)
    if "validation" not in files.parts and "test" not in files.parts:
        draft.add("validation", {"fraction": 0.2})
        examples = round(0.8 * examples)
    add_training(draft, task, examples, model=model or text_model(task, WORDS))
