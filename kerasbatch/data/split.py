"""The split into examples for training, for validation and for a test: sizes and positions.

The choice of examples for validation and for `train_examples` has a constant seed, so runs that
differ in their own seed share their data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kerasbatch import steps
from kerasbatch.data.raw import RawData
from kerasbatch.data.windows import Window
from kerasbatch.errors import SpecError
from kerasbatch.sampling import stratified_sample
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import (
    AnyValidation,
    ExamplesForValidation,
    FractionForValidation,
    GroupsForValidation,
    LastForValidation,
)
from kerasbatch.text import shortened
from kerasbatch.types import Array

DEFAULT_FRACTION = 0.2
"""The share for validation where neither the spec nor the data say anything."""
MAX_TRAIN_EVALUATION = 10_000
"""The training examples that replace validation data if there are none."""
# The seeds of the samples, different so that the samples are independent of each other.
_VALIDATION_KEY, _TRAIN_KEY, _EVALUATION_KEY = 101, 102, 103
Positions = NDArray[np.int64]
Labels = NDArray[np.integer[Any]]
NO_POSITIONS: Positions = np.zeros(0, np.int64)


class PartSizes(NamedTuple):
    """The numbers of examples for training, held back for validation, and kept for the test."""

    train: int
    held: int
    tested: int


@dataclass(frozen=True)
class SplitPositions:
    """The positions of the examples of training, validation and test in one array."""

    train: Positions
    held: Positions
    tested: Positions = NO_POSITIONS


def split_positions(
    spec: Spec,
    total: int,
    has_other: bool,
    labels: Labels | None = None,
    groups: Array | None = None,
) -> SplitPositions:
    """Return the positions of the training, validation and test examples of a data set.

    Args:
        spec: a single-run spec; its data may ask for fewer `train_examples`.
        total: the number of examples.
        has_other: whether the data have a separate part for validation or test.
        labels: the class of each example, shape (total,), or None.
        groups: the group of each example, shape (total,), or None.

    Raises:
        SpecError: if the sizes do not fit each other.
    """
    sizes = part_sizes(spec, total, has_other)
    positions = np.arange(total)
    rest, tested = positions[: total - sizes.tested], positions[total - sizes.tested :]
    validation = split_validation(spec, has_other)
    if isinstance(validation, GroupsForValidation) and groups is not None:
        held = _held_groups(groups[rest], validation.fraction)
    elif isinstance(validation, LastForValidation):
        held = rest[len(rest) - sizes.held :]
    else:
        rest_labels = None if labels is None else labels[rest]
        held = stratified_sample(len(rest), sizes.held, key=_VALIDATION_KEY, classes=rest_labels)
    kept = np.setdiff1d(rest, held, assume_unique=True)
    size = train_size(spec, total, has_other) if spec.data.train_examples else len(kept)
    if size < len(kept):
        kept_labels = None if labels is None else labels[kept]
        kept = kept[stratified_sample(len(kept), size, key=_TRAIN_KEY, classes=kept_labels)]
    return SplitPositions(kept, held, tested)


def _held_groups(groups: Array, fraction: float) -> Positions:
    """Return the positions of whole groups, in a constant order, of about a share of all examples.

    Raises:
        SpecError: if there are fewer than two groups.
    """
    names, numbers = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        message = f"there is one group, {shortened(str(names[0]), 40)}; validation needs another"
        raise SpecError.at(("validation", "groups"), message)
    order = stratified_order(len(names))
    counts = np.bincount(numbers)[order].cumsum()
    best = int(np.argmin(np.abs(counts[:-1] - fraction * len(groups))))
    return np.flatnonzero(np.isin(numbers, order[: best + 1]))


def stratified_order(count: int) -> Positions:
    """Return numbers from 0 in the constant random order of validation."""
    return np.random.RandomState(_VALIDATION_KEY).permutation(count)


def evaluation_subset(n: int, labels: Labels | None) -> Positions:
    """Return the training examples to evaluate on if there are no validation data."""
    size = min(n, MAX_TRAIN_EVALUATION)
    return stratified_sample(n, size, key=_EVALUATION_KEY, classes=labels)


def train_size(spec: Spec, total: int, has_other: bool) -> int:
    """Return n: the examples left after validation, or the `train_examples` taken from them."""
    train, wanted = part_sizes(spec, total, has_other).train, spec.data.train_examples
    if train < 1:
        raise SpecError.at(("validation",), f"leaves none of the {total:,} examples for training")
    if wanted is None:
        return train
    if wanted > train:
        message = f"found {wanted}; must be at most the {train:,} there are to train on"
        raise SpecError.at(("data", "train_examples"), message)
    return wanted


def split_validation(spec: Spec, has_other: bool) -> AnyValidation | None:
    """Return the validation of a spec, or the default one of its data.

    Raises:
        SpecError: if it is the test part of data that have none.
    """
    validation, has_test = spec.validation, has_other or spec.test is not None
    if validation is None and not has_other:
        is_ordered = spec.test is not None or getattr(spec.data, "time", None) is not None
        if is_ordered:
            return LastForValidation(last=DEFAULT_FRACTION)
        return FractionForValidation(fraction=DEFAULT_FRACTION)
    if validation is not None and validation.kind == "test" and not has_test:
        message = "test: these data have no test part; write {fraction: 0.2} or none"
        raise SpecError.at(("validation",), message)
    return validation


def part_sizes(spec: Spec, total: int, has_other: bool) -> PartSizes:
    """Return the sizes of the parts of the examples that are not separate.

    Raises:
        SpecError: if nothing is left for training.
    """
    validation = split_validation(spec, has_other)
    tested = 0 if spec.test is None else total - int(total * (1.0 - spec.test.last))
    rest, held = total - tested, 0
    if isinstance(validation, FractionForValidation | GroupsForValidation):
        held = steps.split_sizes(rest, fraction=validation.fraction, count=None)[1]
    if isinstance(validation, LastForValidation):
        held = steps.split_sizes(total, fraction=validation.last, count=None)[1]
    if isinstance(validation, ExamplesForValidation):
        held = validation.examples
    return PartSizes(rest - held, held, tested)


class Part(NamedTuple):
    """The examples of a part before the encoding.

    Args:
        x: the examples; the rows of a series in time.
        y: their targets.
        text: their texts, or None.
    """

    x: Array
    y: Array
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
    x: Array
    y: Array
    weight: Array | None
    held: Positions
    tested: Positions = NO_POSITIONS
    window: Window | None = None
    text: Array | None = None

    @property
    def train(self) -> Part:
        """The training part."""
        return Part(self.x, self.y, self.text)

    @property
    def examples(self) -> int:
        """The number of training examples: rows, or windows of them."""
        return self.count(self.x)

    @property
    def targets(self) -> Array:
        """The targets of the training examples."""
        return self.y if self.window is None else self.window.y(self.y)

    def count(self, rows: Array) -> int:
        """Return the number of examples of a part."""
        return len(rows) if self.window is None else self.window.count(len(rows))

    def validation(self, validation: AnyValidation | None) -> Part | None:
        """Return the validation part, by the spec's validation."""
        if len(self.held):
            return self._rows(self.held)
        if validation is not None and validation.kind == "none":
            return None
        return self._separate("validation") or self._test_part()

    def test(self) -> Part | None:
        """Return the part for the test at the end, if validation does not use it."""
        if len(self.held) or self.raw.arrays.x_val is not None:
            return self._test_part()
        return None

    def _test_part(self) -> Part | None:
        return self._rows(self.tested) if len(self.tested) else self._separate("test")

    def _rows(self, positions: Positions) -> Part:
        arrays = self.raw.arrays
        texts = arrays.texts.get("train")
        text = None if texts is None else texts[positions]
        return Part(arrays.x[positions], arrays.y[positions], text)

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
        notices = [self.raw.notice, _one_class(self.y if self.raw.classes else None)]
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
    arrays, total = raw.arrays, len(raw.arrays.x)
    classes = arrays.y if raw.classes else None
    has_other = arrays.x_val is not None or arrays.x_test is not None
    if spec.test is not None and arrays.x_test is not None:
        raise SpecError.at(("test",), "the data have a test part already; keep one of them")
    parts = split_positions(spec, total, has_other, classes, arrays.groups)
    _check_windows(parts, arrays.window)
    is_complete = len(parts.train) == total
    x, y = (part if is_complete else part[parts.train] for part in (arrays.x, arrays.y))
    weight = arrays.weight if arrays.weight is None else arrays.weight[parts.train]
    if raw.is_table:
        _refuse_constant(x, arrays.columns)
    texts = arrays.texts.get("train")
    text = None if texts is None else texts[parts.train]
    return SplitData(raw, labels, x, y, weight, parts.held, parts.tested, arrays.window, text)


def _check_windows(parts: SplitPositions, window: Window | None) -> None:
    """Raise SpecError if a part of a series is shorter than a window."""
    if window is None:
        return
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
