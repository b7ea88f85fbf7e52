"""The encoding of data as the numbers that the model gets, fitted to the training part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.array_trees import Arrays, mapped, named, single
from kerasbatch.data.encoding.fitting import fit_preprocessing, renumbered, seen_words
from kerasbatch.data.encoding.preprocessing import Preprocessing, Standardization
from kerasbatch.data.images.image_format import ImageFormat
from kerasbatch.data.parts.split import Part, SplitData
from kerasbatch.data.raw import RawData
from kerasbatch.data.texts.text_format import TextFormat
from kerasbatch.data.texts.vectorizer import vectorized
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec.data_schema import ImageData, TableData
from kerasbatch.spec.schema import Spec
from kerasbatch.text import counted, shortened
from kerasbatch.types import Array

PART_ENDS = {"train": "train", "validation": "val", "test": "test"}
"""The ends of the names of arrays in `RunData`, by part."""


@dataclass(frozen=True)
class Encoder:
    """Encodes the parts of a data set as the numbers that the model gets.

    Args:
        raw: the data set.
        preprocessing: the transformations that were fitted to the training part.
    """

    raw: RawData
    preprocessing: Preprocessing

    @classmethod
    def fitted(cls, spec: Spec, parts: SplitData) -> "Encoder":
        """Return an encoder that is fitted to the training part."""
        raw, preprocessing = parts.raw, Preprocessing(labels=parts.labels)
        if raw.is_table:
            columns, words = raw.arrays.columns, raw.arrays.words
            training_words = seen_words(single(parts.x), columns, words)
            preprocessing = fit_preprocessing(
                renumbered(single(parts.x), columns, words, training_words),
                columns,
                training_words,
                standardize=spec.data.standardize,
                fill_missing=isinstance(spec.data, TableData) and spec.data.missing == "mean",
            )
        preprocessing = replace(
            preprocessing,
            labels=parts.labels,
            target_labels=raw.target_labels,
            target=_target_scale(spec, parts),
            orders=raw.arrays.orders,
            missing_values=getattr(spec.data, "missing_values", None) or (),
            units=raw.arrays.units,
            table_format=raw.arrays.table_format,
            images=ImageFormat.of(spec.data) if isinstance(spec.data, ImageData) else None,
            text=TextFormat.of(spec.data),
            dates=getattr(spec.data, "dates", None) or {},
            day_first=raw.arrays.day_first,
            window=raw.arrays.window,
        )
        return cls(raw, preprocessing)

    def x(self, part: Arrays) -> Any:
        """Return examples, encoded if they are a table, with floats as float32."""
        if not isinstance(part, np.ndarray):
            inputs = {
                name: cast_float32(array, f"input {name} of x", None, ("data",))
                for name, array in named(part).items()
            }
            return inputs if isinstance(part, dict) else tuple(inputs.values())
        preprocessing = self.preprocessing
        if self.raw.is_table:
            part = renumbered(
                part, preprocessing.columns, self.raw.arrays.words, preprocessing.words
            )
            part = preprocessing.x(part)
        return cast_float32(part, "x", preprocessing.encoded_columns, ("data",))

    def encoded(self, parts: Mapping[str, Part | None]) -> tuple["Encoder", dict[str, Any]]:
        """Return the arrays of all parts by the names of `RunData`.

        Args:
            parts: the parts `train`, `validation` and `test`, None for one that is missing.

        Returns:
            An encoder with the vocabulary of the training part, and the arrays.
        """
        texts = {name: part.text for name, part in parts.items() if part and part.text is not None}
        encoder, numbers = self, dict[str, Array]()
        if texts and (form := self.preprocessing.text):
            numbers, words = vectorized(texts, form)
            encoder = replace(self, preprocessing=replace(self.preprocessing, vocabulary=words))
        arrays: dict[str, Any] = {}
        for name, part in parts.items():
            end = PART_ENDS[name]
            x, y = (None, None) if part is None else encoder._examples(part, numbers.get(name))
            arrays |= {f"x_{end}": x, f"y_{end}": y}
        return encoder, arrays

    def _examples(self, part: Part, text: Array | None) -> tuple[Arrays, Arrays]:
        """Return the examples of a part and their targets, encoded."""
        window = self.raw.arrays.window
        x = self.x(part.x)
        if window is not None:
            return window.x(x), self.y(window.y(single(part.y)))
        return with_text(x, text), mapped(self.y, part.y)

    def notices(self, notice: str | None, parts: Mapping[str, Part | None]) -> Iterator[str]:
        """Yield a notice, if any, and one for each column with words that training did not see."""
        if notice:
            yield notice
        yield from _empty_texts(parts)
        preprocessing, words = self.preprocessing, self.raw.arrays.words
        for name in preprocessing.words:
            position = list(preprocessing.columns or ()).index(name)
            for part_name, part in parts.items():
                if part is None or part_name == "train":
                    continue
                x = single(part.x)
                seen = renumbered(x, preprocessing.columns, words, preprocessing.words)
                count = int((np.isnan(seen[:, position]) & ~np.isnan(x[:, position])).sum())
                if count:
                    yield (
                        f"{counted(count, 'row')} of column {shortened(name, 60)} for {part_name} "
                        f"hold words that the training part does not; they count as none"
                    )

    def y(self, part: Array) -> Array:
        """Return labels unchanged, and numbers as float32, standardized if the spec asks for it."""
        return cast_float32(self.preprocessing.y(part), "the target", None, ("data",))


def _empty_texts(parts: Mapping[str, Part | None]) -> Iterator[str]:
    """Yield a notice for each part with empty texts."""
    for name, part in parts.items():
        texts = [] if part is None or part.text is None else [str(text) for text in part.text]
        if empty := sum(not text.strip() for text in texts):
            yield f"{empty:,} of {counted(len(texts), 'text')} for {name} are empty"


def with_text(x: Array, text: Array | None) -> Arrays:
    """Return the inputs of a model: a table, the numbers of words, or both by name."""
    if text is None:
        return x
    return {"text": text, "table": x} if x.shape[1] else text


def _target_scale(spec: Spec, parts: SplitData) -> Standardization | None:
    """Return the standardization of the target, or None."""
    _check_target(spec, parts)
    if not spec.data.standardize_target:
        return None
    y = single(parts.y)
    return Standardization.of(y.reshape(len(y), -1))


def _check_target(spec: Spec, parts: SplitData) -> None:
    """Raise an error if the spec standardizes a target of classes."""
    if not spec.data.standardize_target:
        return
    if isinstance(parts.y, dict | tuple):
        message = "belongs to a single target; scale several in the data"
        raise SpecError.at(("data", "standardize_target"), message)
    if parts.raw.classes is not None or parts.y.dtype.kind != "f":
        message = "belongs to a target of numbers, and these are classes; leave it out"
        raise SpecError.at(("data", "standardize_target"), message)


MAX_LOSS_OF_SPREAD = 0.01
"""The share of a column's standard deviation that rounding may change."""


def cast_float32(array: Array, name: str, columns: Sequence[str] | None, where: Location) -> Array:
    """Return an array of floats as float32; other arrays unchanged.

    Args:
        array: shape (n,) or (n, ...).
        name: its name in an error.
        columns: the names of its columns, or None.
        where: the place in the spec of an error.

    Raises:
        SpecError: if a column is too large for float32 or loses its spread; all such columns.
    """
    if not array.size and array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind != "f" or array.dtype.itemsize <= np.dtype(np.float32).itemsize:
        # An array that is mapped from a file stays mapped.
        unchanged = array.dtype.kind != "f" or is_memory_mapped(array)
        return array if unchanged else array.astype(np.float32)
    with np.errstate(over="ignore"):
        narrow_array = np.asarray(array).astype(np.float32)
    table = array.ndim == 2 and array.shape[1] > 1
    pairs = zip(array.T, narrow_array.T, strict=True) if table else [(array, narrow_array)]
    faults = [
        Fault(where, f"{_column_label(name, columns, number, table)} {problem}")
        for number, (wide, narrow) in enumerate(pairs)
        if (problem := _float32_problem(wide, narrow))
    ]
    if faults:
        raise SpecError(faults)
    return narrow_array


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
