"""A description of the data that a model learns from, as `plan` shows it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kerasbatch import array_trees
from kerasbatch.array_trees import mapped
from kerasbatch.data.encoding.preprocessing import Preprocessing
from kerasbatch.data.parts.positions import split_validation
from kerasbatch.data.parts.split import SplitData
from kerasbatch.data.texts.text_format import TextFormat
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import GroupsForValidation, LastForValidation
from kerasbatch.text import counted, shortened
from kerasbatch.types import Array

SHOWN_COLUMNS, SHOWN_CLASSES = 8, 6
"""The columns of words, and the classes, that are named one by one."""
MAX_NAME = 30
FROM_MISSING = 0.005
"""The share of missing cells from which it is shown."""


def describe_data(spec: Spec, parts: SplitData, preprocessing: Preprocessing) -> dict[str, str]:
    """Return what a model learns from, as texts by their titles.

    Args:
        spec: a single-run spec.
        parts: its data before the encoding.
        preprocessing: the encoding, fitted to the training part.
    """
    description = {}
    if parts.raw.arrays.columns is not None:
        description["columns"] = _columns(parts, preprocessing)
    description["target"] = _target(spec, parts)
    description["validation"] = _validation(spec, parts)
    description["model gets"] = _input(spec, parts, preprocessing)
    return description


def _columns(parts: SplitData, preprocessing: Preprocessing) -> str:
    """Return the columns of a table: numbers, then words with their number."""
    columns = list(preprocessing.columns or ())
    named = {*preprocessing.words, *preprocessing.orders}
    missing = dict(zip(columns, np.isnan(array_trees.single(parts.x)).mean(axis=0), strict=True))
    numbers = [name for name in columns if name not in named]
    texts = [counted(len(numbers), "number")] if numbers else []
    lacking = [name for name in numbers if missing[name] >= FROM_MISSING]
    if lacking:
        shares = ", ".join(
            f"{_short(name)} {missing[name]:.0%}" for name in lacking[:SHOWN_COLUMNS]
        )
        texts[0] += f" (missing: {shares})"
    words = [*_word_columns(preprocessing, missing)]
    texts += words[:SHOWN_COLUMNS]
    if len(words) > SHOWN_COLUMNS:
        texts.append(f"{len(words) - SHOWN_COLUMNS} more columns of words")
    return ", ".join(texts)


def _word_columns(preprocessing: Preprocessing, missing: Mapping[str, float]) -> Iterator[str]:
    for name, order in preprocessing.orders.items():
        yield f"{_short(name)} ({len(order)} words in order{_share(missing[name])})"
    for name, words in preprocessing.words.items():
        yield f"{_short(name)} ({counted(len(words), 'word')}{_share(missing[name])})"


def _share(missing: float) -> str:
    return f", {missing:.0%} missing" if missing >= FROM_MISSING else ""


def _short(name: str) -> str:
    return shortened(name, MAX_NAME)


def _target(spec: Spec, parts: SplitData) -> str:
    if isinstance(parts.y, dict | tuple):
        return ", ".join(
            _of_several(parts, name, y) for name, y in array_trees.named(parts.y).items()
        )
    y = parts.y
    if parts.raw.classes is None or y.ndim > 1:
        if y.ndim > 1:
            return f"{' x '.join(map(str, y.shape[1:]))} numbers"
        return f"a number, {float(y.min()):.4g} to {float(y.max()):.4g}"
    names = parts.labels or tuple(map(str, range(parts.raw.classes)))
    counts = np.bincount(y.astype(np.int64), minlength=len(names)) / len(y)
    positive = _positive(spec, names) if len(names) == 2 else ""
    return f"{class_shares(names, counts)}{positive}"


def _of_several(parts: SplitData, name: str, y: Array) -> str:
    """Return one of several targets in words."""
    classes = (parts.raw.target_classes or {}).get(name)
    if classes:
        return f"{name}: {classes} classes"
    numbers = math.prod(y.shape[1:])
    return f"{name}: {'a number' if numbers == 1 else f'{numbers} numbers'}"


def class_shares(names: Sequence[str], shares: Array) -> str:
    """Return the classes in words, the largest first.

    Args:
        names: their names.
        shares: the share of each in the examples.
    """
    order = np.argsort(-shares, kind="stable")[:SHOWN_CLASSES]
    listed = ", ".join(f"{_short(names[number])} {_percent(shares[number])}" for number in order)
    more = ", ..." if len(names) > SHOWN_CLASSES else ""
    return f"{len(names)} classes: {listed}{more}"


def _percent(share: float) -> str:
    """Return a share in percent; a rare class is not 0 %, and its counterpart not 100 %."""
    percent = 100 * share
    return f"{percent:.0f}%" if 1 <= percent <= 99 else f"{percent:.3g}%"


def _positive(spec: Spec, names: Sequence[str]) -> str:
    """Return the class that stands for 1, with its label in the data where that differs."""
    labels = getattr(spec.data, "labels", None)
    of_name = {name: label for label, name in labels.items()} if isinstance(labels, dict) else {}
    name = names[1]
    label = of_name.get(name, name)
    return (
        f"; positive: {_short(label)} = {_short(name)}"
        if label != name
        else (f"; positive: {_short(name)}")
    )


def _validation(spec: Spec, parts: SplitData) -> str:
    part = parts.validation(spec.validation)
    if part is None and parts.raw.arrays.stream_examples is not None:
        return f"none; metrics are measured on the first {array_trees.length(parts.x):,} examples"
    if part is None:
        return "none; metrics are measured on training rows"
    rows = counted(array_trees.length(part.x), "row")
    if len(parts.held):
        if isinstance(split_validation(spec, has_other=False), LastForValidation):
            windows = f" ({parts.held_examples:,} windows)" if parts.window is not None else ""
            return f"the last {rows}{windows}"
        if isinstance(spec.validation, GroupsForValidation):
            return f"{rows}: whole groups of {spec.validation.groups}, the same for every seed"
        stratified = ", stratified" if parts.raw.classes else ""
        return f"{rows}, at random{stratified}, the same for every seed"
    source = "of their own" if parts.raw.arrays.x_val is not None else "of the test part"
    return f"{rows} {source}"


def _input(spec: Spec, parts: SplitData, preprocessing: Preprocessing) -> str:
    if not isinstance(parts.x, np.ndarray):
        shapes = array_trees.named(mapped(lambda array: array.shape[1:], parts.x))
        inputs = [f"{name}: {' x '.join(map(str, shape)) or '1'}" for name, shape in shapes.items()]
        return f"{', '.join(inputs)} numbers for each of {parts.examples:,} training examples"
    shape: Any = parts.x.shape[1:]
    notes = []
    if parts.raw.is_table:
        encoded = preprocessing.encoded_columns
        shape = shape if encoded is None else (len(encoded),)
        notes += ["standardized"] if preprocessing.standard is not None else []
    if parts.raw.scale is not None:
        notes.append(f"divided by {1 / parts.raw.scale:g}")
    if parts.window is not None:
        shape = (parts.window.size, *shape)
    size = " x ".join(map(str, shape)) or "1"
    rows = "training rows" if parts.window is None else "windows"
    numbers = [f"{size} numbers"] if math.prod(shape) else []
    if form := TextFormat.of(spec.data):
        numbers.insert(0, f"the numbers of the first {form.length:,} words")
    return ", ".join([f"{' and '.join(numbers)} for each of {parts.examples:,} {rows}", *notes])
