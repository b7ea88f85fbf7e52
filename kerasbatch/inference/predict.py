"""Predictions by the model that a run kept, with the preprocessing of its training."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, softmax

from kerasbatch.data.table import Table, matrix
from kerasbatch.data.table_reader import open_table
from kerasbatch.data.tabular_files import typed_cells
from kerasbatch.engine.sources.example_stream import scale_inputs
from kerasbatch.errors import SpecError
from kerasbatch.inference.saved_model import SavedModel
from kerasbatch.spec.data_schema import TableKind
from kerasbatch.text import counted
from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD = 0.5
"""Above this, a single output stands for the class 1, as in Keras' binary accuracy."""
_ADVICE = "this model was trained without missing values, so fill it in"


def predict_file(kept: SavedModel, file: Path) -> tuple["pd.DataFrame", list[str]]:
    """Predict for the rows of a CSV file, or of one that ends in .parquet.

    Returns:
        A table of `prediction`, with a `probability_<label>` for each class where there are
        classes; and what a person must know.

    Raises:
        SpecError: if a column is missing, or a cell is none that the model was trained for.
    """
    if not file.is_file():
        raise SpecError.at(("--csv",), f"there is no file {file}")
    kind: TableKind = "parquet" if file.suffix.lower() == ".parquet" else "csv"
    examples, notices = _encode_table(kept, open_table(kind, file, ("--csv",)))
    return _prediction_table(kept, model_outputs(kept, examples)), notices


def encode_examples(kept: SavedModel, x: Any) -> tuple[Array, list[str]]:
    """Return examples as the model gets them, from arrays or a DataFrame as they come.

    Args:
        kept: the model.
        x: a DataFrame with the columns of the training, in any order and beside others; or an array
            of shape (n, ...) as the data had it before standardizing or scaling.

    Returns:
        The examples, and what a person must know.

    Raises:
        SpecError: if they do not fit what the model was trained on.
    """
    if hasattr(x, "columns"):
        wanted = kept.preprocessing.columns or ()
        cells = typed_cells(x, ("x",), wanted)
        return _encode_table(kept, Table(cells, ("x",), lambda row: f"row {row}", "the DataFrame"))
    if isinstance(x, str | Path | Mapping):
        raise SpecError.at(("x",), f"found {type(x).__name__}; give a DataFrame or an array")
    array, made = np.asarray(x), kept.preprocessing
    if made.words:
        message = "this model was trained on columns of text; give a DataFrame with their names"
        raise SpecError.at(("x",), message)
    if array.dtype.kind not in "biuf" or array.shape[1:] != kept.input_shape:
        found = f"found type {array.dtype} and shape {array.shape}"
        shape = f"(n, {', '.join(map(str, kept.input_shape))})"
        raise SpecError.at(("x",), f"{found}; must be numbers of shape {shape}")
    _refuse_odd(kept, array)
    bad = np.isinf(array) if made.fill is not None else ~np.isfinite(array)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise SpecError.at(("x",), f"row {row} holds a value that is no finite number; {_ADVICE}")
    return _encoded(kept, array), []


def _refuse_odd(kept: SavedModel, array: Array) -> None:
    """Refuse no examples at all, and images that were scaled already."""
    if not len(array):
        raise SpecError.at(("x",), "there is no row to predict for")
    if kept.scale is not None and array.dtype.kind == "f" and array.max() <= 1:
        white = f"{1 / kept.scale:g}"
        message = f"all values lie in 0..1, and this model was trained on images of 0..{white}"
        raise SpecError.at(("x",), f"{message}, which are scaled here; give them as they were")


def model_outputs(kept: SavedModel, examples: Array) -> Array:
    """Return what the model gives for encoded examples.

    Probabilities where there are classes, also of a model that gives logits; numbers in the
    target's own units.
    """
    given = np.asarray(kept.model.predict(examples, verbose=0))
    if kept.from_logits:
        single = given.shape[1:] in ((), (1,))
        given = np.asarray(expit(given) if single else softmax(given, axis=-1))
    return kept.preprocessing.own_units(given)


def predicted_labels(kept: SavedModel, given: Array) -> Array:
    """Return the predicted label of each example, or the numbers themselves.

    Args:
        kept: the model.
        given: what it gave, shape (n,) or (n, outputs).
    """
    single = given.ndim == 1 or given.shape[1:] == (1,)
    if kept.classes is None:
        return given.reshape(-1) if single else given
    numbers = (given.reshape(-1) > THRESHOLD).astype(np.int64) if single else given.argmax(axis=-1)
    if kept.preprocessing.labels is None:
        return numbers
    named: Array = np.array(_names(kept, given.shape[-1]))[numbers]
    return named


def _names(kept: SavedModel, outputs: int) -> list[str]:
    """Return a name for each class, and for outputs that no class has."""
    names = list(kept.preprocessing.labels or map(str, range(kept.classes or 0)))
    return names + [f"output_{number}" for number in range(len(names), max(outputs, 2))]


def _prediction_table(kept: SavedModel, given: Array) -> "pd.DataFrame":
    import pandas as pd

    predicted, wide = predicted_labels(kept, given), given.reshape(len(given), -1)
    if kept.classes is None:
        several = [f"prediction_{number}" for number in range(wide.shape[1])]
        return pd.DataFrame(wide, columns=several if wide.shape[1] > 1 else ["prediction"])
    names = _names(kept, wide.shape[1])
    known = names[1:2] if wide.shape[1] == 1 else names
    probabilities = {
        f"probability_{name}": column for name, column in zip(known, wide.T, strict=False)
    }
    return pd.DataFrame({"prediction": predicted} | probabilities)


def _encode_table(kept: SavedModel, table: Table) -> tuple[Array, list[str]]:
    made = kept.preprocessing
    if made.columns is None:
        message = "this model was not trained on a table of columns with names; give an array"
        raise SpecError.at(table.where, message)
    if faults := table.check_columns(dict.fromkeys(made.columns, table.where)):
        raise SpecError(faults)
    if not len(table):
        raise SpecError.at(table.where, "there is no row to predict for")
    may_miss = made.fill is not None
    numbers = matrix(table, made.columns, made.words, may_miss=may_miss, advice=_ADVICE)
    return _encoded(kept, numbers), list(_unseen(kept, table, numbers))


def _unseen(kept: SavedModel, table: Table, numbers: Array) -> Iterator[str]:
    """Say which columns hold words that training did not see."""
    columns = list(kept.preprocessing.columns or ())
    for name in kept.preprocessing.words:
        unknown = np.isnan(numbers[:, columns.index(name)]) & ~table.empty(name, text=True)
        if unknown.any():
            what = f"{counted(int(unknown.sum()), 'row')} of column {name}"
            yield f"{what} hold words that training did not see; they count as none of its words"


def _encoded(kept: SavedModel, examples: Array) -> Array:
    made = kept.preprocessing
    if kept.scale is not None:
        return np.asarray(scale_inputs(examples, kept.scale))
    if made.encodes:
        examples = made.x(examples.astype(np.float64))
    if examples.dtype.kind != "f":
        return examples
    if (abs(examples) > np.finfo(np.float32).max).any():
        raise SpecError.at(("x",), "holds values too large for float32")
    return examples.astype(np.float32)
