"""Predictions by the model that a run kept, with the preprocessing of its training."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.engine.feed import scaled
from kerasbatch.errors import SpecError, counted
from kerasbatch.runs.saved_model import SavedModel
from kerasbatch.shared_types import Array
from kerasbatch.spec.data_keys import TableKind
from kerasbatch.workload import parquet_file
from kerasbatch.workload.table import Table, matrix
from kerasbatch.workload.table_data import open_file

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD = 0.5
"""Above this, a single output stands for the class 1, as in Keras' binary accuracy."""
_ADVICE = "this model was trained without missing values, so fill it in"


def of_file(kept: SavedModel, file: Path) -> tuple["pd.DataFrame", list[str]]:
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
    examples, notices = _of_table(kept, open_file(kind, file, ("--csv",)))
    return _as_table(kept, outputs(kept, examples)), notices


def examples_of(kept: SavedModel, x: Any) -> tuple[Array, list[str]]:
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
        cells = parquet_file.cells(x)
        return _of_table(kept, Table(cells, ("x",), lambda row: f"row {row}"))
    array, made = np.asarray(x), kept.preprocessing
    if made.words:
        message = "this model was trained on columns of text; give a DataFrame with their names"
        raise SpecError.at(("x",), message)
    if array.dtype.kind not in "biuf" or array.shape[1:] != kept.input_shape:
        found = f"found type {array.dtype} and shape {array.shape}"
        shape = f"(n, {', '.join(map(str, kept.input_shape))})"
        raise SpecError.at(("x",), f"{found}; must be numbers of shape {shape}")
    bad = np.isinf(array) if made.fill is not None else ~np.isfinite(array)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise SpecError.at(("x",), f"row {row} holds a value that is no finite number; {_ADVICE}")
    return _encoded(kept, array), []


def outputs(kept: SavedModel, examples: Array) -> Array:
    """Return what the model gives for encoded examples; numbers in the target's own units."""
    return kept.preprocessing.own_units(np.asarray(kept.model.predict(examples, verbose=0)))


def labels(kept: SavedModel, given: Array) -> Array:
    """Return the predicted label of each example, or the numbers themselves.

    Args:
        kept: the model.
        given: what it gave, shape (n,) or (n, outputs).
    """
    single = given.ndim == 1 or given.shape[1:] == (1,)
    if kept.classes is None:
        return given.reshape(-1) if single else given
    numbers = (given.reshape(-1) > THRESHOLD).astype(np.int64) if single else given.argmax(axis=-1)
    names = kept.preprocessing.labels
    return np.array(names)[numbers] if names else numbers


def _as_table(kept: SavedModel, given: Array) -> "pd.DataFrame":
    import pandas as pd

    predicted, wide = labels(kept, given), given.reshape(len(given), -1)
    if kept.classes is None:
        several = [f"prediction_{number}" for number in range(wide.shape[1])]
        return pd.DataFrame(wide, columns=several if wide.shape[1] > 1 else ["prediction"])
    names = kept.preprocessing.labels or tuple(map(str, range(kept.classes)))
    known = names[1:2] if wide.shape[1] == 1 else names
    probabilities = {
        f"probability_{name}": column for name, column in zip(known, wide.T, strict=True)
    }
    return pd.DataFrame({"prediction": predicted} | probabilities)


def _of_table(kept: SavedModel, table: Table) -> tuple[Array, list[str]]:
    made = kept.preprocessing
    if made.columns is None:
        message = "this model was not trained on a table of columns with names; give an array"
        raise SpecError.at(table.where, message)
    if faults := table.check_columns(dict.fromkeys(made.columns, table.where)):
        raise SpecError(faults)
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
        return np.asarray(scaled(examples, kept.scale))
    if made.encodes:
        examples = made.x(examples.astype(np.float64))
    return examples.astype(np.float32) if examples.dtype.kind == "f" else examples
