"""The split into examples for training, for validation and for a test: sizes and positions.

The choice of examples for validation and for `train_examples` has a constant seed, so runs that
differ in their own seed share their data.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kerasbatch import steps
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
MAX_EVALUATION_BYTES, MIN_TRAIN_EVALUATION = 200_000_000, 100
"""The memory that these examples may take, and the number of them that is taken in any case."""
# The seeds of the samples, different so that the samples are independent of each other.
_VALIDATION_KEY, _TRAIN_KEY, _EVALUATION_KEY = 101, 102, 103
Positions = NDArray[np.int64]
Labels = NDArray[np.integer[Any]]


def no_positions() -> Positions:
    """Return positions of no example."""
    return np.zeros(0, np.int64)


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
    tested: Positions = field(default_factory=no_positions)


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
    if size > len(kept):  # the groups of validation hold more examples than their share
        message = f"found {size}; must be at most the {len(kept):,} there are to train on"
        raise SpecError.at(("data", "train_examples"), message)
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
    order = np.random.RandomState(_VALIDATION_KEY).permutation(len(names))
    counts = np.bincount(numbers)[order].cumsum()
    best = int(np.argmin(np.abs(counts[:-1] - fraction * len(groups))))
    return np.flatnonzero(np.isin(numbers, order[: best + 1]))


def evaluation_subset(n: int, labels: Labels | None, example_bytes: int) -> Positions:
    """Return the training examples to evaluate on if there are no validation data.

    Args:
        n: the number of training examples.
        labels: their classes, or None.
        example_bytes: the bytes of one of them; the subset is copied into memory.
    """
    limit = max(MIN_TRAIN_EVALUATION, MAX_EVALUATION_BYTES // max(1, example_bytes))
    size = min(n, MAX_TRAIN_EVALUATION, limit)
    return stratified_sample(n, size, key=_EVALUATION_KEY, classes=labels)


def train_size(spec: Spec, total: int, has_other: bool) -> int:
    """Return n: the examples left after validation, or the `train_examples` taken from them."""
    train, wanted = part_sizes(spec, total, has_other).train, spec.data.train_examples
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
    if spec.test is not None and has_other:
        message = "the data have a part for validation or test already; keep one of them"
        raise SpecError.at(("test",), message)
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
    if rest - held < 1:
        raise SpecError.at(("validation",), f"leaves none of the {total:,} examples for training")
    return PartSizes(rest - held, held, tested)
