"""Names of keys and rows in sentences."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.question import Question
from kerasbatch.analysis.comparison.text.cells import cell


def key_name(key: str) -> str:
    """Return the name of a key in a sentence: batch size."""
    return key.rpartition(".")[2].replace("_", " ")


def key_names(question: Question) -> str:
    """Return the names of the compared keys."""
    return " and ".join(map(key_name, question.by))


def row_values(table: pd.DataFrame, question: Question, row: Any) -> str:
    """Return the values of the compared keys of a row: 4,096."""
    cells: Mapping[Any, Any] = dict(table.loc[row])
    return " with ".join(cell(key, cells) for key in question.by)


def row_label(table: pd.DataFrame, question: Question, row: Any) -> str:
    """Return the label of a row: batch size 4,096, with the share of seeds if not all reached."""
    cells: Mapping[Any, Any] = dict(table.loc[row])
    label = " with ".join(f"{key_name(key)} {cell(key, cells)}" for key in question.by)
    partial = question.target is not None and 0 < cells["reached"] < cells["seeds"]
    return f"{label} (in {cells['reached']} of {cells['seeds']} seeds)" if partial else label


def row_labels(table: pd.DataFrame, question: Question, rows: Iterable[Any]) -> str:
    """Return the labels of rows as a list in a sentence."""
    return join([row_label(table, question, row) for row in rows])


def capitalize(text: str) -> str:
    """Return a text with a capital first letter, and all others as they are."""
    return text[:1].upper() + text[1:]


def join(parts: Sequence[str]) -> str:
    """Return the parts as a list in a sentence: a, b and c."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
