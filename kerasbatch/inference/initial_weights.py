"""Gives a new model the weights of a file, layer by layer."""

import fnmatch
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.inference.stored_weights import (
    Name,
    layer_arrays,
    opened_weights,
    read_arrays,
    replace_arrays,
    written_arrays,
)
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.records.stored_files import StoredFileError
from kerasbatch.text import suggestion

PLACE: Location = ("initial_weights",)
_SEEDS = "seed_generator"
"""The state of random numbers, which follows the seed of the run."""
_Shapes = list[tuple[int, ...]]


def assign_initial_weights(model: keras.Model, file: Path, skip: Sequence[str] = ()) -> None:
    """Give a built model the weights of a file, by the names and shapes of its layers.

    Args:
        model: the model.
        file: a `.keras` or `.weights.h5` file; nothing in it is run.
        skip: the layers that stay as they are, or patterns of their names.

    Raises:
        SpecError: if a layer has no weights in the file and is not skipped, or the file is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = written_arrays(model, Path(folder))
        with opened_weights(own) as weights:
            wanted = {
                name: [tuple(each.shape) for each in datasets]
                for name, datasets in layer_arrays(weights).items()
                if name[-1] != _SEEDS
            }
        unknown = list(_unknown(skip, wanted))
        wanted = {name: shapes for name, shapes in wanted.items() if not _is_skipped(name, skip)}
        try:
            arrays, present = read_arrays(file, wanted)
        except StoredFileError as error:
            raise SpecError.at(PLACE, f"{file.name} {error}") from error
        if faults := [*unknown, *_missing(wanted, present, file)]:
            raise SpecError(faults)
        replace_arrays(own, arrays)
        with keras_refusals(PLACE):
            model.load_weights(own)


def _is_skipped(name: Name, skip: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name[0], pattern) for pattern in skip)


def _unknown(skip: Sequence[str], wanted: Mapping[Name, _Shapes]) -> Iterator[Fault]:
    """Yield a fault for every pattern that fits no layer."""
    names = list(dict.fromkeys(name[0] for name in wanted))
    for number, pattern in enumerate(skip):
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            hint = suggestion(pattern, names) or f"; the layers are {', '.join(names)}"
            message = f"the model has no layer {pattern} with weights{hint}"
            yield Fault((*PLACE, "skip", number), message)


def _missing(
    wanted: Mapping[Name, _Shapes], present: Mapping[Name, _Shapes], file: Path
) -> Iterator[Fault]:
    """Yield a fault for every layer that would silently stay as it was drawn."""
    for name, shapes in wanted.items():
        if shapes == present.get(name):
            continue
        layer = "/".join(name)
        theirs = f"has {_shown(present[name])}" if name in present else "has no such layer"
        message = f"{layer} has weights of {_shown(shapes)}, and {file.name} {theirs}; write "
        yield Fault(PLACE, f"{message}skip: [{name[0]}] to leave it as it is drawn")


def _shown(shapes: _Shapes) -> str:
    return " and ".join(" x ".join(map(str, shape)) or "one number" for shape in shapes)
