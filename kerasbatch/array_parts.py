"""Looking at large arrays part by part: whether their values are finite, and their bytes."""

from collections.abc import Iterator

import numpy as np

from kerasbatch.shared_types import Array

PART_BYTES = 2**26
"""What is looked at at once: a mask, or a copy, of the whole could be larger than memory."""


def parts(array: Array) -> Iterator[tuple[int, Array]]:
    """Yield an array in parts, each with the place of its first row."""
    rows = max(1, PART_BYTES // max(1, array.nbytes // max(1, len(array))))
    for first in range(0, len(array), rows):
        yield first, array[first : first + rows]


def not_finite(array: Array) -> tuple[int, int] | None:
    """Return the first row with a value that is not finite, and how many values are not; or None.

    Args:
        array: floats, shape (n, ...).
    """
    row, count = None, 0
    for first, part in parts(array):
        finite = np.isfinite(part)
        if not finite.all():
            row = first + int(np.argwhere(~finite)[0][0]) if row is None else row
            count += int((~finite).sum())
    return None if row is None else (row, count)
