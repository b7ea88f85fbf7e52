"""New examples in the form that a saved model gets, by the preprocessing of its training."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasbatch.array_trees import Arrays, are_several, example_shape, mapped
from kerasbatch.data.encoding.encoder import with_text
from kerasbatch.data.encoding.preprocessing import Preprocessing
from kerasbatch.data.tables.binary_tables import typed_cells
from kerasbatch.data.tables.conversion import matrix, texts
from kerasbatch.data.tables.dates import part_columns, with_dates
from kerasbatch.data.tables.series import in_order
from kerasbatch.data.tables.table import Table
from kerasbatch.data.texts.vectorizer import numbers as word_numbers
from kerasbatch.engine.sources.example_stream import scale_inputs
from kerasbatch.errors import SpecError
from kerasbatch.inference.saved_model import SavedModel
from kerasbatch.text import counted
from kerasbatch.types import Array

_ADVICE = "this model was trained without missing values, so fill it in"


class EncodedTable(NamedTuple):
    """The rows of a table as a model gets them.

    Args:
        examples: the examples.
        table: the rows that the predictions belong to: for windows, the last one of each.
        notices: messages for the user.
    """

    examples: Arrays
    table: Table
    notices: list[str]


def encode_examples(saved: SavedModel, x: Any) -> tuple[Arrays, list[str]]:
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
        cells = typed_cells(x, ("x",), required_columns(saved.preprocessing))
        mark = saved.preprocessing.table_format.mark
        table = Table(cells, ("x",), lambda row: f"row {row}", "the DataFrame", decimal=mark)
        encoded = encode_table(saved, table)
        return encoded.examples, [*encoded.table.notices, *encoded.notices]
    if isinstance(x, Mapping | tuple) and are_several(saved.input_shape):
        return _encoded_inputs(saved, x), []
    if isinstance(x, str | Path | Mapping):
        raise SpecError.at(("x",), f"found {type(x).__name__}; give a DataFrame or an array")
    array, preprocessing = np.asarray(x), saved.preprocessing
    if preprocessing.text is not None and preprocessing.text.column is None:
        return _word_numbers(preprocessing, _text_array(array)), []
    if preprocessing.words or preprocessing.text is not None:
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


def _text_array(array: Array) -> Array:
    """Return texts as str; raise SpecError for anything else."""
    are_text = array.dtype.kind == "U" or all(isinstance(text, str) for text in array.reshape(-1))
    if array.ndim != 1 or not len(array) or not are_text:
        description = f"found type {array.dtype} and shape {array.shape}"
        raise SpecError.at(("x",), f"{description}; must be texts, as in a list of them")
    return array


def _encoded_inputs(saved: SavedModel, x: Mapping[str, Any] | tuple[Any, ...]) -> Arrays:
    """Return the arrays of several inputs as the model gets them."""
    arrays = mapped(np.asarray, dict(x) if isinstance(x, Mapping) else x)
    if example_shape(arrays) != saved.input_shape:
        message = f"found shapes {example_shape(arrays)}; must be {saved.input_shape}"
        raise SpecError.at(("x",), message)
    encoded: Arrays = scale_inputs(arrays, saved.scale)
    return encoded


def _check_examples(saved: SavedModel, array: Array) -> None:
    """Raise an error for an empty array, or for images that are scaled already."""
    if not len(array):
        raise SpecError.at(("x",), "there is no row to predict for")
    if saved.scale is not None and array.dtype.kind == "f" and array.max() <= 1:
        white = f"{1 / saved.scale:g}"
        message = f"all values lie in 0..1, and this model was trained on images of 0..{white}"
        raise SpecError.at(("x",), f"{message}, which kerasbatch scales itself; give them unscaled")


def required_columns(preprocessing: Preprocessing) -> list[str]:
    """Return the columns that a table must have, those of dates in place of their parts."""
    dates = part_columns(preprocessing.dates)
    names = [dates.get(name, name) for name in preprocessing.columns or ()]
    if preprocessing.window is not None:
        names.append(preprocessing.window.time)
    if preprocessing.text is not None and preprocessing.text.column is not None:
        names.append(preprocessing.text.column)
    return list(dict.fromkeys(names))


def encode_table(saved: SavedModel, table: Table) -> EncodedTable:
    """Return the rows of a table as the model gets them.

    Raises:
        SpecError: if a column is missing, or a cell does not fit the training data.
    """
    preprocessing, window = saved.preprocessing, saved.preprocessing.window
    if preprocessing.text is not None and preprocessing.text.column is None:
        raise SpecError.at(table.where, "this model was trained on text files; give their texts")
    if preprocessing.columns is None:
        message = "this model was not trained on a table of columns with names; give an array"
        raise SpecError.at(table.where, message)
    required = required_columns(preprocessing)
    if faults := table.check_columns(dict.fromkeys(required, table.where)):
        raise SpecError(faults)
    if not len(table):
        raise SpecError.at(table.where, "there is no row to predict for")
    table = replace(
        table,
        missing=frozenset(preprocessing.missing_values),
        thousands=preprocessing.table_format.thousands,
        day_first=preprocessing.day_first,
    )
    if window is not None:
        table, messages = in_order(table, window.time)
        table = replace(table, notices=(*table.notices, *messages))
    rows, table = table, with_dates(table, preprocessing.dates)
    allow_missing = preprocessing.fill is not None
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
    examples: Arrays = _encoded(saved, numbers)
    notices = list(_unseen_words(saved, table, numbers))
    if window is not None:
        return _windows(saved, examples, rows, notices)
    if preprocessing.text is not None:
        column = texts(table, str(preprocessing.text.column), allow_missing=True)
        examples = with_text(np.asarray(examples), _word_numbers(preprocessing, column.to_numpy()))
    return EncodedTable(examples, rows, notices)


def _windows(saved: SavedModel, rows: Any, table: Table, notices: list[str]) -> EncodedTable:
    """Return all windows of a series, also those whose target is still unknown."""
    window = saved.preprocessing.window
    assert window is not None  # noqa: S101  # the caller has checked it
    if len(rows) < window.size:
        message = f"there are {counted(len(rows), 'row')}, and a window has {window.size:,}"
        raise SpecError.at(table.where, message)
    before = np.arange(len(table)) < window.size - 1
    return EncodedTable(window.all_x(rows), table.without(before), notices)


def _word_numbers(preprocessing: Preprocessing, column: Any) -> Array:
    """Return the numbers of the words of texts."""
    if preprocessing.text is None or preprocessing.vocabulary is None:
        raise SpecError.at(("x",), "this model was not trained on text")
    return word_numbers(column, preprocessing.vocabulary, preprocessing.text.length)


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
        return examples.astype(np.float32) * np.float32(saved.scale)
    if preprocessing.encodes:
        rows = examples.astype(np.float64)
        encoded = preprocessing.x(rows.reshape(-1, rows.shape[-1]))
        examples = encoded.reshape(*rows.shape[:-1], encoded.shape[-1])
    if examples.dtype.kind != "f":
        return examples
    if (abs(examples) > np.finfo(np.float32).max).any():
        raise SpecError.at(("x",), "holds values too large for float32")
    return examples.astype(np.float32)
