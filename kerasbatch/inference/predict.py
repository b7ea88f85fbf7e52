"""Predictions by the saved model of a run, with the preprocessing of its training."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.array_trees import Arrays
from kerasbatch.data.images.decoder import ENDINGS
from kerasbatch.data.images.read_images import decode_files
from kerasbatch.data.numpy_files import NpzError, npz_names, read_npz
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.table_files import open_table
from kerasbatch.data.texts.read_texts import ENDINGS as TEXT_ENDINGS
from kerasbatch.data.texts.read_texts import texts_of
from kerasbatch.engine.sources.example_stream import scale_inputs
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.inference.encode import encode_examples, encode_table
from kerasbatch.inference.outputs import prediction_table
from kerasbatch.inference.saved_model import SavedModel

if TYPE_CHECKING:
    import pandas as pd


def predict_file(
    saved: SavedModel, file: Path, *, keep: Sequence[str] = (), strict: bool = False
) -> tuple["pd.DataFrame", list[str]]:
    """Predict for the rows of a table in a file; the ending .parquet decides.

    Args:
        saved: the model.
        file: the file.
        keep: the columns of the file to put before the predictions.
        strict: refuse words that training never saw, instead of a notice.

    Returns:
        A table of `prediction`, with a `probability_<label>` for each class if there are
        classes; of several outputs, of their own columns; and notices for the user.

    Raises:
        SpecError: if a column is missing, or a cell does not fit the training data.
    """
    if not file.is_file():
        raise SpecError.at(("--csv",), f"there is no file {file}")
    is_parquet = file.suffix.lower() == ".parquet"
    given = saved.preprocessing.table_format
    table = open_table(file, ("--csv",), given, parquet=is_parquet)
    if faults := table.check_columns(dict.fromkeys(keep, ("--keep",))):
        raise SpecError(faults)
    examples, rows, notices = encode_table(saved, table)
    if strict and notices:
        raise SpecError([Fault(table.where, notice) for notice in notices])
    predictions = prediction_table(saved, examples)
    window = saved.preprocessing.window
    kept = list(dict.fromkeys([*([window.time] if window else []), *keep]))
    for number, name in enumerate(kept):
        if name in predictions:
            message = f"{name} is a column of the predictions; rename it in the file"
            raise SpecError.at(("--keep",), message)
        is_exact = is_parquet and window is None
        column = _kept_column(file, rows if window else table, name, parquet=is_exact)
        predictions.insert(number, name, column)
    return predictions, [*rows.notices, *notices]


def predict_npz(saved: SavedModel, file: Path) -> "pd.DataFrame":
    """Predict for the arrays in an npz file: `x`, or `x.NAME` for each of several inputs.

    Args:
        saved: the model.
        file: the file.

    Returns:
        A table of the predictions.

    Raises:
        SpecError: if the file has no such arrays, or they do not fit the training data.
    """
    place: Location = ("--npz",)
    if not file.is_file():
        raise SpecError.at(place, f"there is no file {file}")
    names = list(saved.input_shape) if isinstance(saved.input_shape, dict) else []
    keys = [f"x.{name}" for name in names] or ["x"]
    try:
        arrays = read_npz(file, keys)
        held = ", ".join(npz_names(file))
    except NpzError as error:
        raise SpecError.at(place, f"cannot be read: {error}") from None
    if missing := [key for key in keys if key not in arrays]:
        raise SpecError.at(place, f"has no {' and no '.join(missing)}; it holds {held}")
    x = {name: arrays[f"x.{name}"] for name in names} if names else arrays["x"]
    examples, _ = encode_examples(saved, x)
    return prediction_table(saved, examples)


def predict_images(
    saved: SavedModel, paths: Sequence[Path], *, strict: bool = False
) -> tuple["pd.DataFrame", list[str]]:
    """Predict for images.

    Args:
        saved: the model of a run on images.
        paths: files, and folders whose images are taken, with those below.
        strict: refuse damaged files, instead of a notice.

    Returns:
        A table of `file` and the predictions, and notices for the user.

    Raises:
        SpecError: if the model was not trained on a folder of images, or no file is one.
    """
    place, form = ("--images",), saved.preprocessing.images
    if form is None:
        raise SpecError.at(place, "this model was not trained on a folder of images")
    files = _files(paths, ENDINGS, place, "image")
    images, damaged = decode_files(files, form)
    if damaged and (strict or len(damaged) == len(files)):
        raise SpecError([Fault(place, message) for message in damaged.values()])
    kept = [file for file in files if file not in damaged]
    examples = scale_inputs(images, saved.scale)
    return _file_table(saved, kept, examples), [f"left out: {text}" for text in damaged.values()]


def predict_texts(saved: SavedModel, paths: Sequence[Path]) -> "pd.DataFrame":
    """Predict for text files.

    Args:
        saved: the model of a run on text files.
        paths: files, and folders whose text files are taken, with those below.

    Returns:
        A table of `file` and the predictions.

    Raises:
        SpecError: if the model was not trained on text files, or a file is no text.
    """
    place, form = ("--texts",), saved.preprocessing.text
    if form is None or form.column is not None:
        raise SpecError.at(place, "this model was not trained on a folder of text files")
    files = _files(paths, TEXT_ENDINGS, place, "text")
    examples, _ = encode_examples(saved, texts_of(files, place))
    return _file_table(saved, files, examples)


def _file_table(saved: SavedModel, files: Sequence[Path], examples: Arrays) -> "pd.DataFrame":
    predictions = prediction_table(saved, examples)
    predictions.insert(0, "file", [str(file) for file in files])
    return predictions


def _files(
    paths: Sequence[Path], endings: frozenset[str], place: Location, noun: str
) -> list[Path]:
    """Return files, and those with some endings in folders and below, by name."""
    if missing := [path for path in paths if not path.exists()]:
        raise SpecError([Fault(place, f"there is no file or folder {path}") for path in missing])
    files = list[Path]()
    for path in paths:
        below = (file for file in path.rglob("*") if file.suffix.lower() in endings)
        is_shown = (file for file in below if file.is_file() and not file.name.startswith("."))
        files += [path] if path.is_file() else sorted(is_shown)
    if not files:
        raise SpecError.at(place, f"there is no {noun} to predict for")
    return files


def _kept_column(file: Path, table: Table, name: str, *, parquet: bool) -> Any:
    """Return a column as it is in the file; numbers of Parquet files keep their type."""
    if not parquet:
        return table.cells[name].to_numpy()
    import pandas as pd

    return pd.read_parquet(file, columns=[name])[name].to_numpy()
