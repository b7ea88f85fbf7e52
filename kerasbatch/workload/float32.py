"""Numbers on their way to the model, which computes in float32: nothing may be lost unsaid.

A column such as 1.7e9 + [0, 1] is two numbers in float64 and one in float32. Tables are
standardized before they are rounded; what loses its spread all the same is a fault.
"""

from collections.abc import Sequence

import numpy as np

from kerasbatch.array_files import in_a_file
from kerasbatch.errors import Fault, Location, SpecError, shortened
from kerasbatch.shared_types import Array

MAX_LOSS_OF_SPREAD = 0.01
"""The share of a column's standard deviation that rounding may change."""


def rounded(array: Array, name: str, columns: Sequence[str] | None, where: Location) -> Array:
    """Return an array of floats as float32; other arrays as they are.

    Args:
        array: shape (n,) or (n, ...).
        name: what to call it in an error.
        columns: the names of its columns, where they have names.
        where: the place in the spec that an error belongs to.

    Raises:
        SpecError: naming every column that is too large for float32, or loses its spread.
    """
    if array.dtype.kind != "f" or array.dtype.itemsize <= np.dtype(np.float32).itemsize:
        # What is mapped from a file stays there.
        stays = array.dtype.kind != "f" or in_a_file(array)
        return array if stays else array.astype(np.float32)
    with np.errstate(over="ignore"):
        small = np.asarray(array).astype(np.float32)
    table = array.ndim == 2 and array.shape[1] > 1
    pairs = zip(array.T, small.T, strict=True) if table else [(array, small)]
    faults = [
        Fault(where, f"{_called(name, columns, number, table)} {problem}")
        for number, (wide, narrow) in enumerate(pairs)
        if (problem := _problem(wide, narrow))
    ]
    if faults:
        raise SpecError(faults)
    return small


def _called(name: str, columns: Sequence[str] | None, number: int, table: bool) -> str:
    if columns is not None:
        return f"column {shortened(columns[number], 60)!r} of {name}"
    return f"column {number} of {name}" if table else name


def _problem(wide: Array, narrow: Array) -> str | None:
    if not np.isfinite(narrow).all():
        largest = float(np.abs(wide).max())
        return f"has values up to {largest:.3g}, too large for float32; divide it by a constant"
    spread = float(wide.std(dtype=np.float64))
    lost = abs(float(narrow.std(dtype=np.float64)) - spread)
    if spread > 0 and lost > MAX_LOSS_OF_SPREAD * spread:
        return (
            f"loses its spread in float32 (values near {float(wide.mean()):.6g}, standard "
            f"deviation {spread:.3g}); subtract a constant from it"
        )
    return None
