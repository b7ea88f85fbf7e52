"""Which examples are trained on and which are held back: sizes and positions.

What is taken for validation or left out by `train_examples` is chosen by a constant, so runs that
differ in their seed share their data.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasbatch import steps
from kerasbatch.errors import SpecError
from kerasbatch.order import stratified_sample
from kerasbatch.spec.data_keys import AnyData
from kerasbatch.spec.keys import AnyValidation, ExamplesForValidation, FractionForValidation

DEFAULT_VALIDATION = FractionForValidation(fraction=0.2)
MAX_TRAIN_EVALUATION = 10_000
"""Training examples that stand in for validation data where there are none."""
# Names for the choices made by `stratified_sample`, so that they are independent of each other.
_VALIDATION_KEY, _TRAIN_KEY, _EVALUATION_KEY = 101, 102, 103
Positions = NDArray[np.int64]
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Split:
    """The positions of the examples to train on, and of those held back for validation."""

    train: Positions
    held: Positions


def split(
    data: AnyData,
    validation: AnyValidation | None,
    total: int,
    has_test: bool,
    labels: Labels | None,
    has_own: bool = False,
) -> Split:
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
    return Split(kept, held)


def for_evaluation(n: int, labels: Labels | None) -> Positions:
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
    if validation == "test" and not has_test:
        message = "test: these data have no test part; write {fraction: 0.2} or none"
        raise SpecError.at(("validation",), message)
    if isinstance(validation, FractionForValidation):
        return steps.split_sizes(total, fraction=validation.fraction, count=None)
    if isinstance(validation, ExamplesForValidation):
        return steps.split_sizes(total, fraction=None, count=validation.examples)
    return total, 0
