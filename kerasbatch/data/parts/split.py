"""A data set, split into its parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kerasbatch import array_trees
from kerasbatch.array_files import is_memory_mapped
from kerasbatch.array_trees import Arrays
from kerasbatch.data import memory
from kerasbatch.data.parts.positions import (
    Positions,
    SplitPositions,
    no_positions,
    split_positions,
)
from kerasbatch.data.raw import RawData
from kerasbatch.data.windows import Window
from kerasbatch.errors import SpecError
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import AnyValidation
from kerasbatch.text import shortened
from kerasbatch.types import Array


class Part(NamedTuple):
    """The examples of a part before the encoding.

    Args:
        x: the examples; the rows of a series in time.
        y: their targets.
        text: their texts, or None.
    """

    x: Arrays
    y: Arrays
    text: Array | None = None


@dataclass(frozen=True)
class SplitData:
    """Raw data, split into parts.

    Args:
        raw: the complete data.
        labels: the labels of the classes if they were text.
        x: the training examples.
        y: their targets.
        weight: their weights, or None.
        held: the positions of the examples held back for validation.
        tested: the positions of the examples kept for the test.
        window: the windows of a series in time, or None; all parts hold its rows.
        text: the texts of the training examples, or None.
    """

    raw: RawData
    labels: tuple[str, ...] | None
    x: Arrays
    y: Arrays
    weight: Array | None
    held: Positions
    tested: Positions = field(default_factory=no_positions)
    window: Window | None = None
    text: Array | None = None

    @property
    def train(self) -> Part:
        """The training part."""
        return Part(self.x, self.y, self.text)

    @property
    def examples(self) -> int:
        """The number of training examples: rows, windows of them, or those of a stream."""
        streamed = self.raw.arrays.stream_examples
        return self.count(self.x) if streamed is None else streamed

    @property
    def held_examples(self) -> int:
        """The number of examples held back for validation: rows, or windows of them."""
        rows = len(self.held)
        return self.window.count(rows) if rows and self.window is not None else rows

    @property
    def targets(self) -> Arrays:
        """The targets of the training examples."""
        return self.y if self.window is None else self.window.y(array_trees.single(self.y))

    def count(self, x: Arrays) -> int:
        """Return the number of examples of a part."""
        rows = array_trees.length(x)
        return rows if self.window is None else self.window.count(rows)

    def validation(self, validation: AnyValidation | None) -> Part | None:
        """Return the validation part, by the spec's validation."""
        if len(self.held):
            return self._rows(self.held)
        if validation is not None and validation.kind == "none":
            return None
        return self._separate("validation") or self._test_part()

    def test(self, validation: AnyValidation | None) -> Part | None:
        """Return the part for the test at the end, if validation does not use it."""
        if len(self.tested) and not (validation is not None and validation.kind == "test"):
            return self._rows(self.tested)
        if len(self.held) or self.raw.arrays.x_val is not None:
            return self._test_part()
        return None

    def _test_part(self) -> Part | None:
        return self._rows(self.tested) if len(self.tested) else self._separate("test")

    def _rows(self, positions: Positions) -> Part:
        arrays = self.raw.arrays
        texts = arrays.texts.get("train")
        text = None if texts is None else texts[positions]
        x, y = (array_trees.rows(part, positions) for part in (arrays.x, arrays.y))
        return Part(x, y, text)

    def _separate(self, name: str) -> Part | None:
        """Return a part that the data give separately, or None."""
        arrays = self.raw.arrays
        x, y = (
            (arrays.x_val, arrays.y_val) if name == "validation" else (arrays.x_test, arrays.y_test)
        )
        return None if x is None or y is None else Part(x, y, arrays.texts.get(name))

    @property
    def notice(self) -> str | None:
        """A message for the user about the data, or None."""
        notices = [
            self.raw.notice,
            _one_class(array_trees.single(self.y) if self.raw.classes else None),
        ]
        return "; ".join(text for text in notices if text) or None


def split_data(spec: Spec, raw: RawData, labels: tuple[str, ...] | None) -> SplitData:
    """Split the examples of a data set as a spec demands.

    Args:
        spec: a single-run spec.
        raw: the data, with their labels encoded.
        labels: the labels of the classes if they were text.

    Raises:
        SpecError: if the sizes do not fit each other, or a single column is constant.
    """
    arrays, total = raw.arrays, array_trees.length(raw.arrays.x)
    classes = array_trees.single(arrays.y) if raw.classes else None
    has_other = arrays.x_val is not None or arrays.x_test is not None
    if arrays.stream_examples is None:
        parts = split_positions(spec, total, has_other, classes, arrays.groups)
    else:
        parts = _whole_stream(spec, total, has_other)
    _check_windows(parts, arrays.window, len(arrays.columns or ()))
    is_complete = len(parts.train) == total
    if not is_complete:
        _check_memory(arrays.x)
    x = arrays.x if is_complete else array_trees.rows(arrays.x, parts.train)
    y = arrays.y if is_complete else array_trees.rows(arrays.y, parts.train)
    weight = arrays.weight if arrays.weight is None else arrays.weight[parts.train]
    if raw.is_table and isinstance(x, np.ndarray):
        _refuse_constant(x, arrays.columns)
    texts = arrays.texts.get("train")
    text = None if texts is None else texts[parts.train]
    return SplitData(raw, labels, x, y, weight, parts.held, parts.tested, arrays.window, text)


def _whole_stream(spec: Spec, total: int, has_other: bool) -> SplitPositions:
    """Return the positions of a stream, which is not divided.

    Raises:
        SpecError: if the spec asks for a part of it.
    """
    has_none = spec.validation is not None and spec.validation.kind in ("none", "test")
    if spec.test is not None or not (has_none or (spec.validation is None and has_other)):
        message = "a stream is not divided; return a validation part too, or write none"
        raise SpecError.at(("validation",), message)
    return SplitPositions(np.arange(total), no_positions())


def _check_memory(x: Arrays) -> None:
    """Raise SpecError for arrays in files that are too large to be copied into memory."""
    mapped = [array for array in array_trees.leaves(x) if is_memory_mapped(array)]
    if problem := memory.excess(sum(array.nbytes for array in mapped)):
        message = f"the examples would be copied for validation, and take {problem}; give "
        raise SpecError.at(("validation",), f"{message}validation a part of its own, or write none")


def _check_windows(parts: SplitPositions, window: Window | None, window_columns: int) -> None:
    """Raise SpecError if a part of a series is shorter than a window, or windows are too large."""
    if window is None:
        return
    columns = window_columns * 4
    if problem := memory.excess(len(parts.train) * window.size * columns):
        message = f"the windows take {problem}; write a smaller window, or fewer columns"
        raise SpecError.at(("data", "window"), message)
    named = {"training": parts.train, "validation": parts.held, "test": parts.tested}
    for name, rows in named.items():
        if (len(rows) or name == "training") and window.count(len(rows)) < 1:
            message = f"the {len(rows):,} rows of {name} hold no window of {window.size} and its "
            message += f"target, which take {window.size + window.horizon}; write a smaller window"
            raise SpecError.at(("data", "window"), message)


def _refuse_constant(x: Array, columns: Sequence[str] | None) -> None:
    """Check that a table of one column is not constant.

    Raises:
        SpecError: if it is constant.
    """
    if len(x) < 2 or x.shape[1] != 1 or len(np.unique(x)) > 1:
        return
    name = f", {shortened(columns[0], 60)}," if columns else ""
    message = (
        f"the only column of x{name} is constant: the same for all {len(x):,} training examples, "
        "so nothing can be learned from it; take another column"
    )
    raise SpecError.at(("data",), message)


def _one_class(labels: Array | None) -> str | None:
    if labels is None or len(np.unique(labels)) > 1:
        return None
    return f"all {len(labels):,} training examples are of one class; there is nothing to tell apart"
