"""Brings the parts of data to the numbers that the model gets, fitted to the training part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kerasbatch.array_files import in_a_file
from kerasbatch.data.preprocessing import (
    Preprocessing,
    Standardization,
    fit_preprocessing,
    renumbered,
    seen_words,
)
from kerasbatch.data.raw import RawData
from kerasbatch.data.split import SplitData
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.data_schema import TableData
from kerasbatch.spec.schema import Spec
from kerasbatch.text import counted, shortened
from kerasbatch.types import Array


@dataclass(frozen=True)
class Encoder:
    """Brings the parts of a data set to the numbers that the model gets.

    Args:
        raw: the data set.
        preprocessing: what was fitted to the training part.
    """

    raw: RawData
    preprocessing: Preprocessing

    @classmethod
    def fitted(cls, spec: Spec, parts: SplitData) -> "Encoder":
        """Fit to the training part."""
        raw, made = parts.raw, Preprocessing(labels=parts.labels)
        if raw.is_table:
            columns, words = raw.arrays.columns, raw.arrays.words
            seen = seen_words(parts.x, columns, words)
            made = fit_preprocessing(
                renumbered(parts.x, columns, words, seen),
                columns,
                seen,
                standardize=spec.data.standardize,
                fill_missing=isinstance(spec.data, TableData) and spec.data.missing == "mean",
            )
        return cls(raw, replace(made, labels=parts.labels, target=_target_scale(spec, parts)))

    def x(self, part: Array) -> Array:
        """Return examples, encoded where they are a table, and floats as float32."""
        made = self.preprocessing
        if self.raw.is_table:
            part = renumbered(part, made.columns, self.raw.arrays.words, made.words)
            part = made.x(part)
        return cast_float32(part, "x", made.encoded_columns, ("data",))

    def notices(self, told: str | None, parts: Mapping[str, Array | None]) -> Iterator[str]:
        """Yield what a person must know: that, and words that the training part does not hold."""
        if told:
            yield told
        made, words = self.preprocessing, self.raw.arrays.words
        for name in made.words:
            place = list(made.columns or ()).index(name)
            for called, part in parts.items():
                if part is None:
                    continue
                codes = renumbered(part, made.columns, words, made.words)[:, place]
                unseen = int((np.isnan(codes) & ~np.isnan(part[:, place])).sum())
                if unseen:
                    yield (
                        f"{counted(unseen, 'row')} of column {shortened(name, 60)} for {called} "
                        f"hold words that the training part does not; they count as none"
                    )

    def y(self, part: Array) -> Array:
        """Return labels as they are, and numbers as float32, standardized if asked for."""
        return cast_float32(self.preprocessing.y(part), "the target", None, ("data",))


def _target_scale(spec: Spec, parts: SplitData) -> Standardization | None:
    """Return by what the target is standardized, or None."""
    check_target(spec, parts)
    if not spec.data.standardize_target:
        return None
    return Standardization.of(parts.y.reshape(len(parts.y), -1))


def check_target(spec: Spec, parts: SplitData) -> None:
    """Refuse to standardize classes."""
    if not spec.data.standardize_target:
        return
    if parts.raw.classes is not None or parts.y.dtype.kind != "f":
        message = "belongs to a target of numbers, and these are classes; leave it out"
        raise SpecError.at(("data", "standardize_target"), message)


MAX_LOSS_OF_SPREAD = 0.01
"""The share of a column's standard deviation that rounding may change."""


def cast_float32(array: Array, name: str, columns: Sequence[str] | None, where: Location) -> Array:
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
        Fault(where, f"{_column_label(name, columns, number, table)} {problem}")
        for number, (wide, narrow) in enumerate(pairs)
        if (problem := _float32_problem(wide, narrow))
    ]
    if faults:
        raise SpecError(faults)
    return small


def _column_label(name: str, columns: Sequence[str] | None, number: int, table: bool) -> str:
    if columns is not None:
        return f"column {shortened(columns[number], 60)!r} of {name}"
    return f"column {number} of {name}" if table else name


def _float32_problem(wide: Array, narrow: Array) -> str | None:
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
