"""Predictions by the saved model of a run, with the preprocessing of its training."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, softmax

from kerasbatch.data.tables.binary_tables import typed_cells
from kerasbatch.data.tables.conversion import matrix
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.table_reader import open_table
from kerasbatch.engine.sources.example_stream import scale_inputs
from kerasbatch.errors import Fault, SpecError
from kerasbatch.inference.saved_model import SavedModel
from kerasbatch.text import counted
from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD = 0.5
"""A single output above this value predicts class 1, as in Keras' binary accuracy."""
_ADVICE = "this model was trained without missing values, so fill it in"


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
        classes; and notices for the user.

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
    examples, notices = _encode_table(saved, table)
    if strict and notices:
        raise SpecError([Fault(table.where, notice) for notice in notices])
    predictions = _prediction_table(saved, model_outputs(saved, examples))
    for number, name in enumerate(keep):
        if name in predictions:
            message = f"{name} is a column of the predictions; rename it in the file"
            raise SpecError.at(("--keep",), message)
        predictions.insert(number, name, _kept_column(file, table, name, parquet=is_parquet))
    return predictions, [*table.notices, *notices]


def _kept_column(file: Path, table: Table, name: str, *, parquet: bool) -> Any:
    """Return a column as it is in the file; numbers of Parquet files keep their type."""
    if not parquet:
        return table.cells[name].to_numpy()
    import pandas as pd

    return pd.read_parquet(file, columns=[name])[name].to_numpy()


def encode_examples(saved: SavedModel, x: Any) -> tuple[Array, list[str]]:
    """Return the encoded examples of an array or a DataFrame.

    Args:
        saved: the model.
        x: a DataFrame that has the columns of the training, in any order and among others; or an
            array of shape (n, ...) in the form of the data before standardizing or scaling.

    Returns:
        The examples, and notices for the user.

    Raises:
        SpecError: if they do not fit the training data.
    """
    if hasattr(x, "columns"):
        columns = saved.preprocessing.columns or ()
        cells = typed_cells(x, ("x",), columns)
        mark = saved.preprocessing.table_format.mark
        return _encode_table(
            saved, Table(cells, ("x",), lambda row: f"row {row}", "the DataFrame", decimal=mark)
        )
    if isinstance(x, str | Path | Mapping):
        raise SpecError.at(("x",), f"found {type(x).__name__}; give a DataFrame or an array")
    array, preprocessing = np.asarray(x), saved.preprocessing
    if preprocessing.words:
        message = "this model was trained on columns of text; give a DataFrame with their names"
        raise SpecError.at(("x",), message)
    if array.dtype.kind not in "biuf" or array.shape[1:] != saved.input_shape:
        description = f"found type {array.dtype} and shape {array.shape}"
        shape = f"(n, {', '.join(map(str, saved.input_shape))})"
        raise SpecError.at(("x",), f"{description}; must be numbers of shape {shape}")
    _check_examples(saved, array)
    is_bad = np.isinf(array) if preprocessing.fill is not None else ~np.isfinite(array)
    if is_bad.any():
        row = int(np.argwhere(is_bad)[0][0])
        raise SpecError.at(
            ("x",), f"row {row} holds a value that is not a finite number; {_ADVICE}"
        )
    return _encoded(saved, array), []


def _check_examples(saved: SavedModel, array: Array) -> None:
    """Raise an error for an empty array, or for images that are scaled already."""
    if not len(array):
        raise SpecError.at(("x",), "there is no row to predict for")
    if saved.scale is not None and array.dtype.kind == "f" and array.max() <= 1:
        white = f"{1 / saved.scale:g}"
        message = f"all values lie in 0..1, and this model was trained on images of 0..{white}"
        raise SpecError.at(("x",), f"{message}, which kerasbatch scales itself; give them unscaled")


def model_outputs(saved: SavedModel, examples: Array) -> Array:
    """Return the outputs of the model for encoded examples.

    Outputs are probabilities if there are classes, also for a model that returns logits; else
    numbers in the target's own units.
    """
    outputs = np.asarray(saved.model.predict(examples, verbose=0))
    if saved.from_logits:
        single = outputs.shape[1:] in ((), (1,))
        outputs = np.asarray(expit(outputs) if single else softmax(outputs, axis=-1))
    return saved.preprocessing.unscale_outputs(outputs)


def predicted_labels(saved: SavedModel, outputs: Array) -> Array:
    """Return the predicted label of each example, or the numbers themselves.

    Labels are text, or int64 if all of them are spelled as whole numbers.

    Args:
        saved: the model.
        outputs: its outputs, shape (n,) or (n, outputs).
    """
    single = outputs.ndim == 1 or outputs.shape[1:] == (1,)
    if saved.classes is None:
        return outputs.reshape(-1) if single else outputs
    numbers = (
        (outputs.reshape(-1) > THRESHOLD).astype(np.int64) if single else outputs.argmax(axis=-1)
    )
    if saved.preprocessing.labels is None:
        return numbers
    names = np.array(_names(saved, outputs.shape[-1]))
    are_whole = all(re.fullmatch(r"0|-?[1-9]\d{0,17}", name) for name in names)
    labels: Array = (names.astype(np.int64) if are_whole else names)[numbers]
    return labels


def _names(saved: SavedModel, outputs: int) -> list[str]:
    """Return a name for each class, and for outputs beyond the classes."""
    names = list(saved.preprocessing.labels or map(str, range(saved.classes or 0)))
    return names + [f"output_{number}" for number in range(len(names), max(outputs, 2))]


def _prediction_table(saved: SavedModel, outputs: Array) -> "pd.DataFrame":
    import pandas as pd

    predicted, wide = predicted_labels(saved, outputs), outputs.reshape(len(outputs), -1)
    if saved.classes is None:
        column_names = [f"prediction_{number}" for number in range(wide.shape[1])]
        return pd.DataFrame(wide, columns=column_names if wide.shape[1] > 1 else ["prediction"])
    if saved.gives_scores:
        return pd.DataFrame({"prediction": predicted})
    names = _names(saved, wide.shape[1])
    class_names = names[1:2] if wide.shape[1] == 1 else names
    probabilities = {
        f"probability_{name}": column for name, column in zip(class_names, wide.T, strict=False)
    }
    return pd.DataFrame({"prediction": predicted} | probabilities)


def _encode_table(saved: SavedModel, table: Table) -> tuple[Array, list[str]]:
    preprocessing = saved.preprocessing
    if preprocessing.columns is None:
        message = "this model was not trained on a table of columns with names; give an array"
        raise SpecError.at(table.where, message)
    if faults := table.check_columns(dict.fromkeys(preprocessing.columns, table.where)):
        raise SpecError(faults)
    if not len(table):
        raise SpecError.at(table.where, "there is no row to predict for")
    allow_missing = preprocessing.fill is not None
    table = replace(
        table,
        missing=frozenset(preprocessing.missing_values),
        thousands=preprocessing.table_format.thousands,
    )
    named = {*preprocessing.words, *preprocessing.orders}
    numbers_columns = [name for name in preprocessing.columns if name not in named]
    if faults := table.check_units(preprocessing.units, numbers_columns):
        raise SpecError(faults)
    numbers = matrix(
        table.ordered(preprocessing.orders),
        preprocessing.columns,
        preprocessing.words,
        allow_missing=allow_missing,
        advice=_ADVICE,
    )
    return _encoded(saved, numbers), list(_unseen_words(saved, table, numbers))


def _unseen_words(saved: SavedModel, table: Table, numbers: Array) -> Iterator[str]:
    """Yield a notice for each column with words that training did not see."""
    columns = list(saved.preprocessing.columns or ())
    for name in saved.preprocessing.words:
        unknown = np.isnan(numbers[:, columns.index(name)]) & table.filled(name, text=True)
        if unknown.any():
            rows = f"{counted(int(unknown.sum()), 'row')} of column {name}"
            yield f"{rows} hold words that training did not see; they count as none of its words"


def _encoded(saved: SavedModel, examples: Array) -> Array:
    preprocessing = saved.preprocessing
    if saved.scale is not None:
        return np.asarray(scale_inputs(examples, saved.scale))
    if preprocessing.encodes:
        examples = preprocessing.x(examples.astype(np.float64))
    if examples.dtype.kind != "f":
        return examples
    if (abs(examples) > np.finfo(np.float32).max).any():
        raise SpecError.at(("x",), "holds values too large for float32")
    return examples.astype(np.float32)
