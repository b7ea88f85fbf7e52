"""Fits the preprocessing of a table to its training part."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kerasbatch.data.encoding.preprocessing import (
    Preprocessing,
    Standardization,
    is_text_column,
)
from kerasbatch.types import Array


def fit_preprocessing(
    x: Array,
    columns: Sequence[str] | None,
    words: Mapping[str, tuple[str, ...]],
    *,
    standardize: bool,
    fill_missing: bool,
) -> Preprocessing:
    """Return the preprocessing that fits the training part of a table.

    Args:
        x: shape (rows, columns), float64; a word by its number, nan for a missing value.
        columns: the names of the columns, or None.
        words: by column of text, the words in x, in the order of their numbers.
        standardize: whether columns of numbers are standardized.
        fill_missing: whether missing numbers become the mean of their column.
    """
    numbers = x[:, ~is_text_column(columns, words)] if words else x
    names = None if columns is None else tuple(columns)
    fill = _means(numbers) if fill_missing else None
    preprocessing = Preprocessing(columns=names, words=words, fill=fill)
    if not standardize or not numbers.size:
        return preprocessing
    return replace(preprocessing, standard=Standardization.of(preprocessing.scaled(numbers)))


def seen_words(
    x: Array, columns: Sequence[str] | None, words: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return the words of the training part, by column of text."""
    seen = {}
    for name, column_words in words.items():
        codes = x[:, list(columns or ()).index(name)]
        seen[name] = tuple(column_words[int(code)] for code in np.unique(codes[~np.isnan(codes)]))
    return seen


def renumbered(
    x: Array,
    columns: Sequence[str] | None,
    words: Mapping[str, tuple[str, ...]],
    seen: Mapping[str, tuple[str, ...]],
) -> Array:
    """Return a table with words renumbered from `words` to `seen`; nan for words not in `seen`."""
    if words == seen:
        return x
    x = x.copy()
    for name, column_words in words.items():
        position = list(columns or ()).index(name)
        number = {word: float(code) for code, word in enumerate(seen[name])}
        codes = np.array([*(number.get(word, np.nan) for word in column_words), np.nan])
        x[:, position] = codes[
            np.nan_to_num(x[:, position], nan=len(column_words)).astype(np.int64)
        ]
    return x


def _means(numbers: Array) -> tuple[float, ...]:
    """Return the mean of every column without its missing values."""
    if not numbers.size:
        return ()
    from sklearn.impute import SimpleImputer

    fitted = SimpleImputer(strategy="mean", keep_empty_features=True).fit(numbers)
    return tuple(fitted.statistics_.tolist())
