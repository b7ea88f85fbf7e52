"""The weights in a file of Keras, by the names of their layers.

A file has layers by the order of their classes, as `dense`, `dense_1`, and their names beside. A
name that Keras made (`dense_7`) depends on the models that were made before; it is counted anew
among the layers without a name of their own.
"""

import contextlib
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import h5py
import keras
import numpy as np

from kerasbatch.inference.saved_files import check_datasets
from kerasbatch.models.layer_names import own_name
from kerasbatch.records.stored_files import StoredFileError, open_stored
from kerasbatch.types import Array

Name = tuple[str, ...]
"""The name of a layer, after those of the layers around it."""
_LAYERS = "layers"
"""The list of the layers of a model, which is no part of their names."""
VARIABLES = "vars"
"""The group of the arrays of a layer."""
_NOT_OF_LAYERS = ("optimizer",)
_OF_MODEL = ("model",)
"""The name of the arrays that a model has beside its layers."""
_CONTENT = "model.weights.h5"
_MAX_RATIO = 20
"""A compressed file that unpacks to more holds no weights."""
_PART = 2**22


@contextlib.contextmanager
def opened_weights(file: Path) -> Iterator[h5py.File]:
    """Open the weights of a `.keras` or `.weights.h5` file for reading.

    Raises:
        StoredFileError: if it holds none, or is damaged.
    """
    try:
        with open_stored(file, in_parts=True) as stream, contextlib.ExitStack() as stack:
            content: IO[bytes] = stream
            if zipfile.is_zipfile(stream):
                content = stack.enter_context(tempfile.TemporaryFile())
                _unpack(stream, content)
            weights = stack.enter_context(h5py.File(content, "r"))
            check_datasets(weights)
            yield weights
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise StoredFileError(f"holds no weights of Keras ({error})") from error


def _unpack(stream: IO[bytes], content: IO[bytes]) -> None:
    """Copy the weights of an archive into a file."""
    with zipfile.ZipFile(stream) as archive:
        facts = archive.getinfo(_CONTENT)
        if facts.file_size > _MAX_RATIO * max(facts.compress_size, _PART):
            raise StoredFileError(f"unpacks to {facts.file_size:,} bytes, which are no weights")
        with archive.open(facts) as packed:
            while part := packed.read(_PART):
                content.write(part)


def layer_arrays(weights: h5py.File) -> dict[Name, list[h5py.Dataset]]:
    """Return the arrays of every layer in a file of weights.

    Raises:
        StoredFileError: if a part of it is a link, or lies in another file.
    """
    arrays = {name or _OF_MODEL: datasets for name, datasets in _layers(weights, ())}
    return {name: datasets for name, datasets in arrays.items() if name[0] not in _NOT_OF_LAYERS}


def _layers(group: h5py.Group, name: Name) -> Iterator[tuple[Name, list[h5py.Dataset]]]:
    """Yield the arrays of a layer, and of those inside it."""
    own = group.get(VARIABLES)
    if own is not None and len(own):
        yield name, [_plain(own, str(number)) for number in range(len(own))]
    for inner, child in _children(group, name):
        yield from _layers(child, inner)


def _plain(group: h5py.Group, key: str) -> h5py.Dataset:
    """Return an array that stands in the file itself."""
    is_own = group.get(key, getclass=True, getlink=True) is h5py.HardLink
    item = group[key] if is_own else None
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
        raise StoredFileError(f"has no array {group.name}/{key} of its own")
    return item


def _children(group: h5py.Group, name: Name) -> Iterator[tuple[Name, h5py.Group]]:
    """Yield the groups inside a group by their names; a list of layers adds no name."""
    is_list = VARIABLES not in group
    parts = [part for part in group if part != VARIABLES and _is_group(group, part)]
    if not is_list:
        for part in parts:
            inner = () if part == _LAYERS and _is_list(group[part]) else (part,)
            yield (*name, *inner), group[part]
        return
    counts: Counter[str] = Counter()
    for part in sorted(parts, key=_place):
        yield (*name, _layer_name(group[part], part, counts)), group[part]


def _is_group(group: h5py.Group, part: str) -> bool:
    is_own = group.get(part, getclass=True, getlink=True) is h5py.HardLink
    if not is_own:
        raise StoredFileError(f"has a link in place of {part}")
    return isinstance(group[part], h5py.Group)


def _is_list(group: h5py.Group) -> bool:
    return VARIABLES not in group


def _place(part: str) -> tuple[str, int]:
    base, _, number = part.rpartition("_")
    return (base, int(number)) if base and number.isdecimal() else (part, 0)


def _layer_name(group: h5py.Group, part: str, counts: Counter[str]) -> str:
    written = group[VARIABLES].attrs.get("name") if VARIABLES in group else None
    return own_name(str(written or part), _place(part)[0], counts)


def read_arrays(
    file: Path, shapes: Mapping[Name, list[tuple[int, ...]]]
) -> tuple[dict[Name, list[Array]], dict[Name, list[tuple[int, ...]]]]:
    """Read the arrays of the layers whose names and shapes are those that are asked for.

    Args:
        file: the file of weights.
        shapes: the shapes of the arrays of each layer.

    Returns:
        The arrays of the layers that fit, and the shapes of all layers of the file.

    Raises:
        StoredFileError: if the file is damaged, or is none of weights.
    """
    arrays: dict[Name, list[Array]] = {}
    present: dict[Name, list[tuple[int, ...]]] = {}
    with opened_weights(file) as weights:
        for name, datasets in layer_arrays(weights).items():
            present[name] = [tuple(each.shape) for each in datasets]
            if present[name] == shapes.get(name):
                arrays[name] = [np.asarray(each[()]) for each in datasets]
    return arrays, present


def written_arrays(model: keras.Model, folder: Path) -> Path:
    """Write the weights of a model into a folder; return the file."""
    file = folder / "model.weights.h5"
    model.save_weights(file)
    return file


def replace_arrays(file: Path, arrays: Mapping[Name, list[Array]]) -> None:
    """Replace the arrays of some layers in a file of weights, which is this process's own."""
    with h5py.File(file, "r+") as weights:
        for name, datasets in layer_arrays(weights).items():
            for dataset, value in zip(datasets, arrays.get(name, ()), strict=False):
                cast(Any, dataset)[...] = value
