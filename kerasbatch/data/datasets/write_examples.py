"""Writes the examples of a dataset into the cache, each checked against the first one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasbatch.cache.progress import Progress
from kerasbatch.cache.writer import EntryWriter, RowWriter
from kerasbatch.data.datasets.examples import DatasetError, Example, chunks, known_length
from kerasbatch.types import Array

NAMES = ("x", "y", "weight")


@dataclass
class Layout:
    """The types and shapes of examples, which those of all parts share.

    Args:
        dtypes: the types of x, y and weight; None before the first example.
        shapes: their shapes.
    """

    dtypes: list[Any] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def check(self, example: Example, number: int) -> None:
        """Compare an example with the first one.

        Raises:
            DatasetError: if it has another structure, shape or type.
        """
        if not self.dtypes:
            self.dtypes = [array.dtype for array in example]
            self.shapes = [array.shape for array in example]
            return
        if len(example) != len(self.dtypes):
            had = f"{len(self.dtypes)} values, as the first one has"
            raise DatasetError(f"example {number:,} has {len(example)} values and not {had}")
        for name, array, dtype, shape in zip(
            NAMES, example, self.dtypes, self.shapes, strict=False
        ):
            if array.shape != shape:
                message = f"example {number:,} has {name} of shape {array.shape}, the first one of "
                raise DatasetError(f"{message}{shape}")
            if array.dtype.kind != dtype.kind or (dtype.kind != "U" and array.dtype != dtype):
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
        self._rows: list[RowWriter | None] = []
        self._texts: list[Array] = []
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
        if not chunk:
            return
        if isinstance(chunk, tuple):
            self._layout.check(tuple(array[0] for array in chunk), self.count + 1)
            arrays = chunk
        else:
            for number, example in enumerate(chunk, start=self.count + 1):
                self._layout.check(example, number)
            arrays = tuple(np.stack(values) for values in zip(*chunk, strict=True))
        for name, array, rows in zip(NAMES, arrays, self._open_rows(arrays), strict=False):
            if rows is not None:
                rows.append(array)
            elif name == "y":
                self._texts.append(array)
        self.count += len(arrays[0])

    def _open_rows(self, arrays: Example) -> Iterator[RowWriter | None]:
        """Yield the writers of the arrays; None for labels of text, which stay in memory."""
        if not self._rows:
            self._rows = [
                None
                if array.dtype.kind == "U" and name == "y"
                else self._writer.rows(f"{name}_{self._part}", array.shape[1:], array.dtype)
                for name, array in zip(NAMES, arrays, strict=False)
            ]
        yield from self._rows
