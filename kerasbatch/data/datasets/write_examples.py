"""Writes the examples of a dataset into the cache, each checked against the first one."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasbatch.cache.progress import Progress
from kerasbatch.cache.writer import EntryWriter, RowWriter
from kerasbatch.data.datasets.examples import DatasetError, Example, chunks, known_length
from kerasbatch.types import Array


@dataclass
class Layout:
    """The types and shapes of examples, which those of all parts share.

    Args:
        arrays: the type and the shape of each array, by its name; empty before the first example.
        form: the form of x: `dict`, `tuple` or `array`.
    """

    arrays: dict[str, tuple[Any, tuple[int, ...]]] = field(default_factory=dict)
    form: str = ""

    @property
    def looks_batched(self) -> bool:
        """True if x and y begin with the same length, as those of a batch do."""
        first = [shape[:1] for name, (_, shape) in self.arrays.items() if name != "weight"]
        return len(set(first)) == 1 and first[0] not in ((), (1,))

    def _refuse_text(self, arrays: dict[str, Array]) -> None:
        for name, array in arrays.items():
            if name != "y" and array.dtype.kind not in "biuf":
                message = f"{name} has type {array.dtype}; must be numbers"
                advice = "; for text, write a CSV file and its column of text"
                raise DatasetError(message + (advice if array.dtype.kind == "U" else ""))

    def check(self, example: Example, number: int, *, is_train: bool = True) -> None:
        """Compare an example with the first one; only training examples need a weight.

        Raises:
            DatasetError: if it has another structure, shape or type.
        """
        arrays = example.arrays()
        self._refuse_text(arrays)
        if not self.arrays:
            self.arrays = {name: (array.dtype, array.shape) for name, array in arrays.items()}
            self.form = "array" if isinstance(example.x, np.ndarray) else type(example.x).__name__
        unused: set[str] = set() if is_train else {"weight"}
        if arrays.keys() - unused != self.arrays.keys() - unused:
            first = ", ".join(self.arrays)
            message = f"example {number:,} has {', '.join(arrays)}, and the first one {first}"
            raise DatasetError(message)
        for name, (dtype, shape) in self.arrays.items():
            if name not in arrays:
                continue
            array = arrays[name]
            if array.shape != shape:
                message = f"example {number:,} has {name} of shape {array.shape}, the first one of "
                raise DatasetError(f"{message}{shape}")
            is_text = dtype.kind == "U" and array.dtype.kind == "U"
            if array.dtype != dtype and not is_text:
                message = f"example {number:,} has {name} of type {array.dtype}, the first one of "
                raise DatasetError(f"{message}{dtype}")


class PartWriter:
    """Writes the examples of one part.

    Args:
        writer: the entry.
        part: the name of the part.
        layout: the layout of all parts.
    """

    def __init__(self, writer: EntryWriter, part: str, layout: Layout) -> None:
        self._writer, self._part, self._layout = writer, part, layout
        self._rows: dict[str, RowWriter] = {}
        self._texts: list[Array] = []
        self._is_train = part == "train"
        self.count = 0

    def write(self, dataset: Any, limit: int | None) -> None:
        """Write all examples.

        Args:
            dataset: the dataset.
            limit: the number of examples to take, or None for all.

        Raises:
            DatasetError: if examples differ in their form, or there are too few.
        """
        total = limit or known_length(dataset)
        progress = Progress(f"reading {self._part}", total, "example")
        for chunk in chunks(dataset, limit):
            before = self.count
            self._append(chunk)
            progress.advance(self.count - before)
        if not self.count:
            raise DatasetError("it has no example")
        if limit is not None and self.count < limit:
            message = f"it ended after {self.count:,} examples, and examples asks for {limit:,}"
            raise DatasetError(message)
        if self._texts:
            self._writer.save(f"y_{self._part}", np.concatenate(self._texts))

    def _append(self, chunk: list[Example] | Example) -> None:
        if isinstance(chunk, Example):
            self._layout.check(chunk.first(), self.count + 1, is_train=self._is_train)
            arrays = chunk.arrays()
        elif chunk:
            for number, example in enumerate(chunk, start=self.count + 1):
                self._layout.check(example, number, is_train=self._is_train)
            each = [example.arrays() for example in chunk]
            arrays = {name: np.stack([one[name] for one in each]) for name in each[0]}
        else:
            return
        for name, array in arrays.items():
            if name != "weight" or self._is_train:
                self._append_rows(name, array)
        self.count += len(arrays["y"])

    def _append_rows(self, name: str, array: Array) -> None:
        """Append rows to the file of an array; labels of text stay in memory until the end."""
        if name == "y" and array.dtype.kind == "U":
            self._texts.append(array)
            return
        if name not in self._rows:
            kind, _, key = name.partition(".")
            file = f"{kind}_{self._part}" + (f".{key}" if key else "")
            self._rows[name] = self._writer.rows(file, array.shape[1:], array.dtype)
        self._rows[name].append(array)
