"""The arrays of a data set as they come."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kerasbatch.types import Array


@dataclass(frozen=True)
class RawArrays:
    """A data set as it comes: x of shape (examples, ...), y of shape (examples,).

    Tables keep their float64, and the names of their columns, until they are encoded.

    Args:
        x: the examples.
        y: their labels or numbers.
        x_test: examples of a test part, or None.
        y_test: their labels or numbers, or None.
        columns: the names of a table's columns, or None.
        x_val: examples that come for validation, or None.
        y_val: their labels or numbers, or None.
        weight: the weight of each example of x, or None.
        words: by the name of a column of text, its words; in x stand their numbers from 0, and
            nan for a missing one.
        told: what a person must know of them, or None.
    """

    x: Array
    y: Array
    x_test: Array | None = None
    y_test: Array | None = None
    columns: tuple[str, ...] | None = None
    x_val: Array | None = None
    y_val: Array | None = None
    weight: Array | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    told: str | None = None
