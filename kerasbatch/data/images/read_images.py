"""Images of a folder as arrays: decoded once into the cache, found there afterwards."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.cache.array_cache import ArrayCache, check_room, hashed
from kerasbatch.cache.entry import CacheEntry
from kerasbatch.cache.file_hashes import FileHashes, stamp_of
from kerasbatch.cache.writer import EntryWriter
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.cached_arrays import cached_arrays, content_hash, prepared_message
from kerasbatch.data.folders.class_folders import ClassFile, ClassFiles, class_files
from kerasbatch.data.images.decode_all import decode_all
from kerasbatch.data.images.decoder import ENDINGS
from kerasbatch.data.images.image_format import ImageFormat
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.data_schema import ImageData
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted
from kerasbatch.types import Array

PLACE: Location = ("data", "images")
MAX_FAULTS = 100
"""The damaged files that are named."""


def image_files(data: ImageData, access: Access) -> ClassFiles:
    """Return the files of a spec's images.

    Raises:
        SpecError: if the folder is missing, or is not one of classes.
    """
    folder = access.directory(data.images, PLACE)
    return class_files(folder, ENDINGS, "image", PLACE, trusted=access.trusted)


def read_images(data: ImageData, access: Access) -> RawArrays:
    """Return the images of a spec, mapped from the cache.

    Raises:
        SpecError: if the folder cannot be used, or files are damaged; all of them.
        CacheError: if the disk has no room.
    """
    files, form = image_files(data, access), ImageFormat.of(data)
    cache = ArrayCache()
    hashes, stamps = FileHashes(cache.folder, files.folder), files.stamps
    known = hashes.of(stamps)
    entry = cache.get(_key(files, form, known)) if known is not None else None
    if entry is None or (entry.facts["skipped"] and not data.skip_damaged):
        entry = _written(cache, files, data, hashes)
    skipped = entry.facts["skipped"]
    notices = [files.notice, _skipped(skipped) if skipped else None]
    return RawArrays(
        **cached_arrays(entry),
        notice="; ".join(text for text in notices if text) or None,
        prepared=prepared_message(entry, "image"),
        fingerprint=entry.facts["fingerprint"],
    )


def _written(
    cache: ArrayCache, files: ClassFiles, data: ImageData, hashes: FileHashes
) -> CacheEntry:
    """Decode all images into a new entry, whose key follows from the content of the files."""
    form, stamps = ImageFormat.of(data), files.stamps
    seen: dict[str, str] = {}

    def write(writer: EntryWriter) -> Mapping[str, Any]:
        facts = _write(writer, files, form, skip_damaged=data.skip_damaged, seen=seen)
        _check_unchanged(files)
        return facts

    source = f"images of {files.folder}, {form}"
    source_key = hashed([str(files.folder), asdict(form)])
    entry = cache.write_by_content(source_key, source, write, lambda _: _key(files, form, seen))
    hashes.remember(stamps, seen)
    return entry


def _key(files: ClassFiles, form: ImageFormat, hashes: Mapping[str, str]) -> str:
    import PIL

    content = {
        part: [[file.name, file.label, hashes[file.name]] for file in part_files]
        for part, part_files in files.parts.items()
    }
    return hashed(["images", asdict(form), files.classes, content, PIL.__version__])


def _write(
    writer: EntryWriter,
    files: ClassFiles,
    form: ImageFormat,
    *,
    skip_damaged: bool,
    seen: dict[str, str],
) -> Mapping[str, Any]:
    """Write the images of all parts, and return the facts about them."""
    count = sum(map(len, files.parts.values()))
    check_room(writer.folder, count * form.height * form.width * form.channels)
    damaged = dict[str, str]()
    for part, part_files in files.parts.items():
        name = f"x_{part}"
        writer.array(name, (len(part_files), *form.shape), np.uint8)
        names = [file.name for file in part_files]
        result = decode_all(files.folder, names, form, writer.file(name))
        seen |= result.hashes
        damaged |= result.damaged
        labels = [file.label for file in part_files]
        if result.rows and skip_damaged:
            labels = _without_rows(writer.file(name), part_files, result.rows)
        writer.save(f"y_{part}", np.array(labels))
    if unreadable := {name: reason for name, reason in damaged.items() if name not in seen}:
        raise SpecError(_faults(unreadable, "unreadable", "make them readable, or delete them"))
    if damaged and not skip_damaged:
        advice = "mend or delete them, or write skip_damaged: true"
        raise SpecError(_faults(damaged, "damaged", advice))
    fingerprint = content_hash(writer.folder, files.classes)
    return {"classes": files.classes, "fingerprint": fingerprint, "skipped": sorted(damaged)}


def _without_rows(file: Path, files: Sequence[ClassFile], rows: list[int]) -> list[int]:
    """Leave rows out of a file of images, and return the labels of the others."""
    kept = np.setdiff1d(np.arange(len(files)), rows)
    if not len(kept):
        raise SpecError.at(PLACE, "all images of a part are damaged")
    images = np.load(file, mmap_mode="r")
    check_room(file.parent, len(kept) * math.prod(images.shape[1:]))
    shorter = file.with_suffix(".shorter")
    target = np.lib.format.open_memmap(shorter, "w+", images.dtype, (len(kept), *images.shape[1:]))
    for row, kept_row in enumerate(kept):
        target[row] = images[kept_row]
    target.flush()
    shorter.replace(file)
    return [files[row].label for row in kept]


def _faults(reasons: Mapping[str, str], kind: str, advice: str) -> list[Fault]:
    faults = [Fault(PLACE, f"{name} {reason}") for name, reason in sorted(reasons.items())]
    more = len(faults) - MAX_FAULTS
    last = f"{counted(len(faults), f'{kind} file')}; {advice}"
    return [
        *faults[:MAX_FAULTS],
        Fault(PLACE, f"... and {more} more; {last}" if more > 0 else last),
    ]


def _skipped(names: list[str]) -> str:
    return f"skip_damaged leaves out {counted(len(names), 'damaged image')}, such as {names[0]}"


def _check_unchanged(files: ClassFiles) -> None:
    """Raise SpecError if a file has changed since the folder was read."""
    for file in chain.from_iterable(files.parts.values()):
        try:
            is_same = stamp_of((files.folder / file.name).stat()) == file.stamp
        except OSError:
            is_same = False
        if not is_same:
            raise SpecError.at(PLACE, f"{file.name} was changed while it was read; run it again")


def decode_files(paths: list[Path], form: ImageFormat) -> tuple[Array, dict[Path, str]]:
    """Return the images of some files, and messages about those that are damaged.

    Returns:
        uint8, shape (files that are not damaged, height, width, channels); messages by file.
    """
    import warnings

    from kerasbatch.data.images.decoder import DamagedImageError, pixels

    images, damaged = list[Array](), dict[Path, str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about metadata and large images
        for path in paths:
            try:
                images.append(pixels(path.read_bytes(), form))
            except DamagedImageError as error:
                damaged[path] = f"{path} {error}"
            except OSError as error:
                damaged[path] = f"{path} cannot be read: {error.strerror}"
    return np.array(images, np.uint8).reshape(-1, *form.shape), damaged
