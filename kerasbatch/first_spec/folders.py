"""The draft of a spec for images or texts in a folder for each class."""

from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image, UnidentifiedImageError

from kerasbatch.data.folders.class_folders import ClassFiles, class_files
from kerasbatch.data.images.decoder import ENDINGS
from kerasbatch.data.texts.read_texts import ENDINGS as TEXT_ENDINGS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.first_spec.draft import Draft, add_training, classification
from kerasbatch.first_spec.tables import relative, text_model
from kerasbatch.text import counted

LOOKED_AT = 200
"""The images whose sizes are looked at."""
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
    sides, is_grey = _sizes([files.folder / file.name for file in train[::every]])
    draft = Draft("Which batch size tells these images apart best?")
    keys: dict[str, Any] = {"images": relative(images, folder), "size": sides}
    if is_grey:
        keys["channels"] = 1
    comment = f"{counted(len(train), 'image')}; each is brought to {sides[0]} x {sides[1]} pixels"
    draft.add("data", keys, comment)
    _add_rest(draft, files, "cnn")
    return draft


def _sizes(files: list[Path]) -> tuple[list[int], bool]:
    """Return the height and width to use, and whether all images are grey."""
    heights, widths, modes = list[int](), list[int](), set[str]()
    for file in files:
        try:
            with Image.open(file) as image:
                widths.append(image.width)
                heights.append(image.height)
                modes.add(image.mode)
        except (OSError, UnidentifiedImageError):
            continue  # a damaged image is named when it is read
    if not heights:
        raise SpecError([Fault((), "--images: none of the images can be opened")])
    height, width = median(heights), median(widths)
    factor = min(1.0, LARGEST_SIDE / max(height, width))
    return [max(8, round(height * factor)), max(8, round(width * factor))], modes <= {"1", "L"}


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
