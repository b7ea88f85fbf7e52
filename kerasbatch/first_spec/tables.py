"""The draft of a spec for a table."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.data.encoding.classes import are_classes
from kerasbatch.data.tables.column_roles import (
    MAX_CATEGORIES,
    MIN_NAMES,
    NAMES_SHARE,
    index_columns,
    roles,
)
from kerasbatch.data.tables.conversion import numbers
from kerasbatch.data.tables.dates import DATE
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.table_files import tables_of
from kerasbatch.errors import Fault, SpecError
from kerasbatch.first_spec.draft import Draft, Task, add_training, classification, regression
from kerasbatch.spec.data_schema import CsvData, ParquetData
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted, short_name

DATE_PARTS = ["year", "month", "weekday"]
WORDS_OF_TEXT = 4
"""The mean number of words from which on a column is text and not a category."""
VALIDATION = 0.2
MIN_ROWS = 10


@dataclass
class _Columns:
    """The columns of a table by what a spec does with them."""

    exclude: dict[str, str] = field(default_factory=dict)
    dates: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)


def draft_of_table(file: Path, folder: Path, targets: list[str]) -> Draft:
    """Return the draft of a spec for a table.

    Args:
        file: the table.
        folder: the folder of the spec, from which it names the file.
        targets: the columns to predict; several must be numbers.

    Raises:
        SpecError: if it is no table, or has no such column.
    """
    kind = "parquet" if file.suffix == ".parquet" else "csv"
    model = ParquetData if kind == "parquet" else CsvData
    name = relative(file, folder)
    form: dict[str, Any] = {"kind": kind, kind: name, "target": targets[0]}
    data = model.model_validate(form)
    table = dict(tables_of(data, Access(folder, trusted=True)))["train"]
    _check_targets(table, targets)
    index, _ = index_columns(data, table)
    names = [str(column) for column in table.cells.columns]
    candidates = [column for column in names if column not in (*index, *targets)]
    columns = _sorted_columns(data, table, candidates)
    draft = Draft(f"Which batch size predicts {' and '.join(targets)} best?")
    draft.notes += table.notices
    task, keys = _task(table, targets, draft)
    form = {kind: name, "target": targets[0] if len(targets) == 1 else targets, **keys}
    if not columns.used and columns.texts:
        _add_text(draft, form, columns, task, len(table))
        return draft
    if not columns.used:
        message = "no column is left to learn from; "
        reasons = "; ".join(f"{name} {why}" for name, why in columns.exclude.items())
        raise SpecError([Fault((), message + short_name(reasons))])
    draft.add("data", form | _keys_of(columns) | keys, _comment(columns))
    draft.add("validation", {"fraction": VALIDATION})
    add_training(draft, task, round(len(table) * (1 - VALIDATION)))
    return draft


def relative(file: Path, folder: Path) -> str:
    """Return a path from the folder of the spec, if it lies there; else the absolute path."""
    try:
        return str(file.absolute().relative_to(folder.absolute()))
    except ValueError:
        return str(file.absolute())


def _check_targets(table: Table, targets: list[str]) -> None:
    if faults := table.check_columns(dict.fromkeys(targets, ("--target",))):
        raise SpecError(faults)
    if len(table) < MIN_ROWS:
        message = f"the table has {counted(len(table), 'row')}; a training needs {MIN_ROWS} or more"
        raise SpecError([Fault((), message)])


def _sorted_columns(data: Any, table: Table, names: list[str]) -> _Columns:
    """Sort columns by what a spec does with them."""
    columns, column_roles = _Columns(), roles(data, table, names)
    for name in names:
        is_word = name in column_roles.words
        filled = table.filled(name, text=is_word)
        if not filled.any():
            columns.exclude[name] = "is empty"
        elif is_word:
            _sort_words(columns, table, name, is_bad=name in column_roles.bad)
        elif _counts_rows(table, name):
            columns.exclude[name] = "counts the rows"
        elif not _are_numbers(table, name):
            columns.exclude[name] = "holds numbers and other words"
        else:
            columns.used.append(name)
        if name in columns.used and not filled.all():
            columns.gaps.append(name)
    return columns


def _sort_words(columns: _Columns, table: Table, name: str, *, is_bad: bool) -> None:
    """Sort a column of words."""
    cells = table.words(name)[table.filled(name, text=True)]
    count = int(cells.nunique())
    if cells.map(lambda cell: DATE.fullmatch(cell) is not None).all():
        columns.dates.append(name)
        columns.used.append(name)
    elif float(cells.str.split().map(len).mean()) >= WORDS_OF_TEXT and count > len(cells) / 2:
        columns.texts.append(name)
        columns.exclude[name] = "is text"
    elif not is_bad:
        columns.used.append(name)
    elif count >= MIN_NAMES and count >= NAMES_SHARE * len(cells):
        columns.exclude[name] = "is different in nearly every row, like a name"
    elif count <= MAX_CATEGORIES:
        columns.categorical.append(name)
        columns.used.append(name)
    else:
        columns.exclude[name] = f"has {count:,} different words"


def _counts_rows(table: Table, name: str) -> bool:
    values = table.number_column(name).values
    is_whole = bool((values == np.round(values)).all())
    return len(values) > MIN_NAMES and is_whole and bool((np.diff(values) == 1).all())


def _are_numbers(table: Table, name: str) -> bool:
    try:
        numbers(table, name, allow_missing=True)
    except SpecError:
        return False
    return True


def _keys_of(columns: _Columns) -> dict[str, Any]:
    """Return the keys of `data` about columns."""
    keys: dict[str, Any] = {}
    if columns.exclude:
        keys["exclude"] = list(columns.exclude)
    if columns.dates:
        keys["dates"] = dict.fromkeys(columns.dates, DATE_PARTS)
    if columns.categorical:
        keys["categorical"] = columns.categorical
    if columns.gaps:
        keys["missing"] = "mean"
    return keys


def _comment(columns: _Columns) -> str:
    parts = [f"{name} {reason}" for name, reason in columns.exclude.items()]
    if columns.gaps:
        parts.append(f"gaps in {', '.join(columns.gaps)} get the mean")
    if columns.dates:
        parts.append(f"for a series in time, write time: {columns.dates[0]} and window: 24")
    return "; ".join(parts)


def _task(table: Table, targets: list[str], draft: Draft) -> tuple[Task, dict[str, Any]]:
    """Return the task of the targets, and the keys of `data` that belong to it."""
    gaps = any(not table.filled(name, text=table.is_text(name)).all() for name in targets)
    keys: dict[str, Any] = {"missing": "drop"} if gaps else {}
    if gaps:
        draft.notes.append("rows without a target are left out")
    if len(targets) > 1:
        if texts := [name for name in targets if table.is_text(name)]:
            message = f"--target: {texts[0]} holds words; several targets must be numbers"
            raise SpecError([Fault((), message)])
        return regression(), {**keys, "standardize_target": True}
    shares = _class_shares(table, targets[0])
    if shares is None:
        return regression(), {**keys, "standardize_target": True}
    return classification(len(shares), max(shares)), keys


def _class_shares(table: Table, name: str) -> list[float] | None:
    """Return the share of each class of a target, or None if it holds numbers."""
    if table.is_text(name):
        words = table.words(name)[table.filled(name, text=True)]
        return [float(share) for share in words.value_counts(normalize=True)]
    column = table.number_column(name)
    values, counts = np.unique(column.values[column.is_number], return_counts=True)
    if not (values == np.round(values)).all() or not are_classes(
        values.astype(np.int64), int(counts.sum())
    ):
        return None
    return [float(share) for share in counts / counts.sum()]


def _add_text(draft: Draft, form: dict[str, Any], columns: _Columns, task: Task, rows: int) -> None:
    """Add the keys of a table of which one column of text is used."""
    others = [name for name in columns.exclude if name != columns.texts[0]]
    keys: dict[str, Any] = {"text": {"column": columns.texts[0], "words": 5000, "length": 100}}
    if others:
        keys["exclude"] = others
    draft.add("data", form | keys, "the words of the text by their numbers; rare ones share one")
    draft.add("validation", {"fraction": VALIDATION})
    add_training(draft, task, round(rows * (1 - VALIDATION)), model=text_model(task, 5000))


def text_model(task: Task, words: int) -> dict[str, Any]:
    """Return a small model of texts: the mean of the vectors of their words."""
    last = _last_layer(task)
    embedding = {"Embedding": {"input_dim": words, "output_dim": 32}}
    hidden = {"Dense": {"units": 32, "activation": "relu"}}
    return {"layers": [embedding, "GlobalAveragePooling1D", hidden, last]}


def _last_layer(task: Task) -> dict[str, Any]:
    if task.loss == "mse":
        return {"Dense": {"units": 1}}
    return {"Dense": {"units": task.classes, "activation": "softmax"}}
