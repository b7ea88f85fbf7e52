"""How many examples are measured at once; the same in every engine, so that sums are the same."""

import keras

from kerasbatch.engine.options import Arrays

EVALUATION_BATCH = 1000
"""Examples of one step of an evaluation, about; fewer where they are large."""
EVALUATION_BYTES = 2**22


def rows_at_once(arrays: Arrays) -> int:
    """Choose how many examples to measure at once."""
    leaves = keras.tree.flatten(arrays)
    total = len(leaves[0])
    bytes_of_one = max(1, sum(leaf.nbytes for leaf in leaves) // total)
    return _fits_evenly(total, max(1, min(EVALUATION_BATCH, EVALUATION_BYTES // bytes_of_one)))


def _fits_evenly(rows: int, near: int) -> int:
    """Return a batch size for evaluation: a divisor of `rows` near `near`, or `near` itself."""
    for size in sorted(range(max(1, near // 2), 2 * near + 1), key=lambda size: abs(size - near)):
        if rows % size == 0:
            return size
    return min(near, rows)
