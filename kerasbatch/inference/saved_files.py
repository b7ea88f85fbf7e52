"""Checks the files of a saved model, which may come from a stranger, before they are used.

Keras reads numbers only, but a forged file may name other files on the disk, or be a few bytes that
unpack to more than the memory.
"""

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import keras
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kerasbatch.array_trees import Shape, input_shapes, stored_shape
from kerasbatch.data.encoding.preprocessing import Preprocessing
from kerasbatch.errors import SpecError
from kerasbatch.records.file_names import PREPROCESSING
from kerasbatch.records.stored_files import StoredFileError, open_stored, read_stored
from kerasbatch.text import shortened

MAX_VALUES = 2**26
"""The largest number of values of one example."""
_WEIGHTS = "model.weights.h5"
_SLACK_BYTES = 2**26
"""Bytes of a weights file beyond its numbers: names, and the state of an optimizer's rate."""

Finite = Annotated[float, Field(allow_inf_nan=False)]


_Lengths = Annotated[list[Annotated[int, Field(ge=1, le=MAX_VALUES)]], Field(max_length=8)]


_Count = Annotated[int, Field(ge=1, le=MAX_VALUES)]
_Classes = Annotated[int, Field(ge=1, le=10**6)]


class _Facts(BaseModel):
    model_config = ConfigDict(strict=True)
    input_shape: (
        _Lengths
        | Annotated[list[_Lengths], Field(max_length=100)]
        | Annotated[dict[str, _Lengths], Field(max_length=100)]
    )
    classes: _Classes | None
    outputs: _Count | Annotated[dict[str, _Count], Field(max_length=100)] | None = None
    target_classes: Annotated[dict[str, _Classes | None], Field(max_length=100)] | None = None
    logit_outputs: Annotated[list[str], Field(max_length=100)] = []  # pydantic's
    scale: Finite | None
    from_logits: bool = False
    gives_scores: bool = False
    code: str
    preprocessing: dict[str, Any]


@dataclass(frozen=True)
class ModelFacts:
    """The content of preprocessing.json.

    Args:
        input_shape: the shape of one example as the model gets it, or of each of its inputs.
        classes: the number of classes, or None where the target is a number; by name of several.
        outputs: the numbers of a target, or of each.
        scale: the factor of images, or None.
        code: a hash of the Python code of the model; empty if there is none.
        preprocessing: the transformations of data and outputs.
        from_logits: whether a loss of own code takes the outputs for logits.
        gives_scores: whether it is a hinge loss.
        logit_outputs: of several outputs, those that their losses take for logits.
    """

    input_shape: Shape
    classes: int | Mapping[str, int | None] | None
    outputs: int | Mapping[str, int]
    scale: float | None
    code: str
    preprocessing: Preprocessing
    from_logits: bool = False
    gives_scores: bool = False
    logit_outputs: tuple[str, ...] = ()


def read_facts(folder: Path) -> ModelFacts:
    """Return the content of preprocessing.json in a run directory.

    Raises:
        SpecError: if it is damaged, incomplete or impossible.
    """
    try:
        facts = _Facts.model_validate_json(read_stored(folder / PREPROCESSING))
        preprocessing = Preprocessing.from_json(facts.preprocessing)
        shape = stored_shape(facts.input_shape)
        if sum(map(math.prod, input_shapes(shape))) > MAX_VALUES:
            raise ValueError(f"an example has more than {MAX_VALUES:,} values")
    except (FileNotFoundError, StoredFileError, ValidationError, ValueError) as error:
        reason = _first_line(error)
        message = f"{folder}: its {PREPROCESSING} is damaged or incomplete ({reason})"
        raise SpecError.at((), message) from None
    outputs = facts.outputs or facts.classes or 1
    logits = facts.from_logits, facts.gives_scores, tuple(facts.logit_outputs)
    classes = facts.classes if facts.target_classes is None else facts.target_classes
    return ModelFacts(shape, classes, outputs, facts.scale, facts.code, preprocessing, *logits)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        keys = [str(key) for key in first["loc"] if "[" not in str(key)]  # no forms of a union
        place = ".".join(keys)
        return f"{place}: {first['msg'].lower()}" if place else str(first["msg"]).lower()
    return shortened(" ".join(str(error).split()), 200)


def check_weights(file: Path, model: keras.Model) -> None:
    """Check that a file of weights holds numbers only, and no more than the model has.

    Args:
        file: the file of a model in Keras' format.
        model: the model that will read it, built and with the state of its optimizer.

    Raises:
        StoredFileError: if it cannot be read, or holds anything else.
    """
    expected = sum(math.prod(variable.shape) * 8 for variable in _variables(model))
    try:
        with open_stored(file, in_parts=True) as stream, zipfile.ZipFile(stream) as archive:
            size = archive.getinfo(_WEIGHTS).file_size
            if size > expected + _SLACK_BYTES:
                raise StoredFileError(f"unpacks to {size:,} bytes, more than the model has")
            content = io.BytesIO(archive.read(_WEIGHTS))
        with h5py.File(content, "r") as weights:
            total = check_datasets(weights)
    except (StoredFileError, FileNotFoundError):
        raise
    except Exception as error:  # a damaged archive raises any type
        raise StoredFileError(f"is damaged ({_first_line(error)})") from error
    if total > expected + _SLACK_BYTES:
        raise StoredFileError(f"unpacks to {total:,} bytes, more than the model has")


def check_datasets(weights: h5py.File) -> int:
    """Return the unpacked size of all arrays in a file of weights.

    Raises:
        StoredFileError: if a part of it is a link, or lies in another file.
    """
    return sum(_dataset_bytes(weights, set()))


def _variables(model: keras.Model) -> Iterator[Any]:
    yield from model.variables
    if model.optimizer is not None:
        yield from model.optimizer.variables


def _dataset_bytes(group: h5py.Group, seen: set[int]) -> Iterator[int]:
    """Yield the unpacked size of every dataset; a link, or data in another file, is an error.

    Args:
        group: the group.
        seen: the addresses of objects above and before it.
    """
    for name in group:
        is_link = group.get(name, getclass=True, getlink=True) is not h5py.HardLink
        item = None if is_link else group[name]
        address = 0 if item is None else h5py.h5o.get_info(item.id).addr
        if item is None or address in seen:  # two names of one object could make endless paths
            raise StoredFileError(f"has a link in place of {name}")
        seen.add(address)
        if isinstance(item, h5py.Group):
            yield from _dataset_bytes(item, seen)
        elif item.external or item.is_virtual:
            raise StoredFileError(f"keeps {name} in another file")
        else:
            yield item.size * item.dtype.itemsize
