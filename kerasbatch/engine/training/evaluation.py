"""How many examples are measured at once; the same in every engine, so that sums are the same."""

from collections.abc import Iterator

import keras

from kerasbatch.array_files import in_a_file
from kerasbatch.engine.device import bytes_of, cast_for_device, is_mapped, to_device
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.chunks import CHUNK_BYTES, cut_rows, steps_per_chunk

EVALUATION_BATCH = 1000
"""Examples of one step of an evaluation, about; fewer where they are large."""
EVALUATION_BYTES = 2**22


def rows_at_once(arrays: Arrays) -> int:
    """Choose how many examples to measure at once."""
    total = _examples(arrays)
    bytes_of_one = max(1, bytes_of(arrays) // total)
    return _fits_evenly(total, max(1, min(EVALUATION_BATCH, EVALUATION_BYTES // bytes_of_one)))


def stays_in_files(arrays: Arrays) -> bool:
    """Tell whether arrays are measured part by part: they lie in files, and a copy is large."""
    leaves = keras.tree.flatten(arrays)
    in_files = any(in_a_file(leaf) and not is_mapped(leaf) for leaf in leaves)
    return in_files and bytes_of(arrays) > CHUNK_BYTES


def device_parts(arrays: Arrays, size: int) -> Iterator[Arrays]:
    """Yield parts of arrays on the device, whole steps each.

    Args:
        arrays: x, y and sample weights.
        size: examples of one step.
    """
    total = _examples(arrays)
    count = size * steps_per_chunk(bytes_of(arrays) // total, size, CHUNK_BYTES)
    for first in range(0, total, count):
        yield to_device(cast_for_device(cut_rows(arrays, first, first + count)))


def _examples(arrays: Arrays) -> int:
    return len(keras.tree.flatten(arrays)[0])


def _fits_evenly(rows: int, near: int) -> int:
    """Return a batch size for evaluation: a divisor of `rows` near `near`, or `near` itself."""
    for size in sorted(range(max(1, near // 2), 2 * near + 1), key=lambda size: abs(size - near)):
        if rows % size == 0:
            return size
    return min(near, rows)
