"""Which examples are trained on and which are held back: sizes and positions.

What is taken for validation or left out by `train_examples` is chosen by a constant, so runs that
differ in their seed share their data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasbatch import steps
from kerasbatch.data.raw import RawData
from kerasbatch.errors import SpecError
from kerasbatch.sampling import stratified_sample
from kerasbatch.spec.data_schema import AnyData
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import (
    AnyValidation,
    ExamplesForValidation,
    FractionForValidation,
)
from kerasbatch.text import shortened
from kerasbatch.types import Array

DEFAULT_VALIDATION = FractionForValidation(fraction=0.2)
MAX_TRAIN_EVALUATION = 10_000
"""Training examples that stand in for validation data where there are none."""
# Names for the choices made by `stratified_sample`, so that they are independent of each other.
_VALIDATION_KEY, _TRAIN_KEY, _EVALUATION_KEY = 101, 102, 103
Positions = NDArray[np.int64]
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class SplitPositions:
    """The positions of the examples to train on, and of those held back for validation."""

    train: Positions
    held: Positions


def split_positions(
    data: AnyData,
    validation: AnyValidation | None,
    total: int,
    has_test: bool,
    labels: Labels | None,
    has_own: bool = False,
) -> SplitPositions:
    """Divide the examples of a data set.

    Args:
        data: the spec's data; it may ask for fewer `train_examples`.
        validation: what the spec says of validation.
        total: how many examples there are.
        has_test: whether the data have a test part of their own.
        labels: the class of each example, shape (total,), or None.
        has_own: whether the data have a part of their own for validation.

    Raises:
        SpecError: if the sizes do not fit each other.
    """
    size = train_size(data, validation, total, has_test or has_own)
    _, held_out = validation_sizes(validation, total, has_test or has_own)
    held = stratified_sample(total, held_out, key=_VALIDATION_KEY, classes=labels)
    kept = np.setdiff1d(np.arange(total), held, assume_unique=True)
    if size < len(kept):
        inner = None if labels is None else labels[kept]
        kept = kept[stratified_sample(len(kept), size, key=_TRAIN_KEY, classes=inner)]
    return SplitPositions(kept, held)


def evaluation_subset(n: int, labels: Labels | None) -> Positions:
    """Choose the training examples that are measured where there is nothing to validate on."""
    size = min(n, MAX_TRAIN_EVALUATION)
    return stratified_sample(n, size, key=_EVALUATION_KEY, classes=labels)


def train_size(data: AnyData, validation: AnyValidation | None, total: int, has_test: bool) -> int:
    """Return n: what is left after validation, or the `train_examples` taken from that."""
    train, _ = validation_sizes(validation, total, has_test)
    if train < 1:
        raise SpecError.at(("validation",), f"leaves none of the {total:,} examples for training")
    if data.train_examples is None:
        return train
    if data.train_examples > train:
        message = (
            f"found {data.train_examples}; must be at most the {train:,} there are to train on"
        )
        raise SpecError.at(("data", "train_examples"), message)
    return data.train_examples


def validation_sizes(
    validation: AnyValidation | None, total: int, has_test: bool
) -> tuple[int, int]:
    """Return how many examples stay for training and how many are held back for validation."""
    if validation is None and not has_test:
        validation = DEFAULT_VALIDATION
    if validation is not None and validation.kind == "test" and not has_test:
        message = "test: these data have no test part; write {fraction: 0.2} or none"
        raise SpecError.at(("validation",), message)
    if isinstance(validation, FractionForValidation):
        return steps.split_sizes(total, fraction=validation.fraction, count=None)
    if isinstance(validation, ExamplesForValidation):
        return steps.split_sizes(total, fraction=None, count=validation.examples)
    return total, 0


@dataclass(frozen=True)
class SplitData:
    """Data as they come, divided into parts.

    Args:
        raw: the whole.
        labels: the labels of the classes where they were text.
        x: the examples to train on.
        y: their targets.
        weight: their weights, or None.
        held: the positions of those that were held back for validation.
    """

    raw: RawData
    labels: tuple[str, ...] | None
    x: Array
    y: Array
    weight: Array | None
    held: Positions

    def validation(self, given: AnyValidation | None) -> tuple[Array | None, Array | None]:
        """Return the part for validation."""
        arrays = self.raw.arrays
        if len(self.held):
            return arrays.x[self.held], arrays.y[self.held]
        if given is not None and given.kind == "none":
            return None, None
        if arrays.x_val is not None:
            return arrays.x_val, arrays.y_val
        return arrays.x_test, arrays.y_test

    def test(self) -> tuple[Array | None, Array | None]:
        """Return the part for the test at the end, where validation is another one."""
        arrays = self.raw.arrays
        if len(self.held) or arrays.x_val is not None:
            return arrays.x_test, arrays.y_test
        return None, None

    @property
    def notice(self) -> str | None:
        """What a person must know."""
        told = [self.raw.notice, _one_class(self.y if self.raw.classes else None)]
        return "; ".join(text for text in told if text) or None


def split_data(spec: Spec, raw: RawData, labels: tuple[str, ...] | None) -> SplitData:
    """Divide the examples of a data set, as a spec says.

    Args:
        spec: a single-run spec.
        raw: the data, their labels encoded.
        labels: the labels of the classes where they were text.

    Raises:
        SpecError: if the sizes do not fit each other, or a single column is constant.
    """
    arrays, total = raw.arrays, len(raw.arrays.x)
    classes = arrays.y if raw.classes else None
    has_own = arrays.x_val is not None
    parts = split_positions(
        spec.data, spec.validation, total, arrays.x_test is not None, classes, has_own
    )
    whole = len(parts.train) == total
    x, y = (part if whole else part[parts.train] for part in (arrays.x, arrays.y))
    weight = arrays.weight if arrays.weight is None else arrays.weight[parts.train]
    if raw.is_table:
        _refuse_constant(x, arrays.columns)
    return SplitData(raw, labels, x, y, weight, parts.held)


def _refuse_constant(x: Array, columns: Sequence[str] | None) -> None:
    """Refuse a table whose only column is the same for all examples.

    Raises:
        SpecError: if it is such a table.
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
