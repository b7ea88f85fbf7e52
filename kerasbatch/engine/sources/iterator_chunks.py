"""Chunks of batches from a Python iterator: a generator or a PyDataset.

Keras' own adapters define the batches; this module only concatenates them.
"""

import time
from collections.abc import Generator, Iterator
from typing import Any

import keras
import numpy as np

from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.chunks import Chunk, chunk_capacity, pack, prefetch, round_up


def as_arrays(batch: Any) -> Arrays:
    """Return a batch as a tuple: (x,), (x, y) or (x, y, sample_weight)."""
    return batch if isinstance(batch, tuple) else (batch,)


def chunks_of_iterator(batches: Iterator[Any], usual: int, seconds: float) -> Generator[Chunk]:
    """Yield the batches of a Python iterator in chunks; a thread prepares the next one.

    Args:
        batches: the batches; errors of the iterator are raised here.
        usual: the rows of a chunk.
        seconds: the time after which a chunk ends, at any number of rows.
    """
    return prefetch(_ChunkMaker(batches, usual, seconds))


class _ChunkMaker:
    """Makes chunks from the batches of a Python iterator."""

    def __init__(self, batches: Iterator[Any], usual: int, seconds: float) -> None:
        self._batches, self._usual, self._seconds = batches, usual, seconds
        self._first: Arrays | None = None
        self._count = self._room = 0
        self._error: Exception | None = None
        self._uneven: Arrays | None = None  # a batch of unequal or empty arrays

    def __call__(self) -> Chunk | None:
        """Return the next chunk, or None at the end."""
        if self._uneven is not None:
            return self._uneven_chunk()
        parts, sizes, end = list[Arrays](), list[int](), time.monotonic() + self._seconds
        while sum(sizes) < self._usual and (not sizes or time.monotonic() < end):
            try:
                batch = self._next()
            except Exception as error:  # raised after the training on earlier batches
                self._error = error
                break
            if batch is None:
                break
            lengths = {len(leaf) for leaf in keras.tree.flatten(batch)}
            if len(lengths) > 1 or lengths == {0}:
                self._uneven = batch
                break
            parts.append(batch)
            sizes += lengths
        if self._error is not None and not parts:
            raise self._error
        if not parts:
            return self._uneven_chunk()
        self._room = self._room or chunk_capacity(self._usual, max(sizes))
        return Chunk(pack(parts, round_up(sum(sizes), self._room)), sizes)

    def _uneven_chunk(self) -> Chunk | None:
        """Return the batch that stands alone as a chunk, or None."""
        if (batch := self._uneven) is None:
            return None
        self._uneven = None
        lengths = [len(leaf) for leaf in keras.tree.flatten(batch)]
        arrays = keras.tree.map_structure(lambda leaf: pack([leaf], len(leaf)), batch)
        return Chunk(arrays, [max(1, *lengths)], is_uneven=True)

    def _next(self) -> Arrays | None:
        if self._error is not None:
            return None
        batch = next(self._batches, None)
        return None if batch is None else self._check(as_arrays(batch))

    def _check(self, batch: Arrays) -> Arrays:
        """Return a copy of a batch, in the types of the first one, as Keras does.

        The copy is needed because a generator may reuse its memory for the next batch.

        Raises:
            ValueError: if its structure or types differ from those of the first batch.
        """
        self._count += 1
        arrays: Arrays = keras.tree.map_structure(np.array, batch)
        self._first = first = self._first or arrays
        if not _are_alike(arrays, first):
            message = f"looks like {_structure(arrays)}, the first one like {_structure(first)}"
            raise ValueError(f"batch {self._count} {message}; all must be alike")
        if any(leaf.ndim == 0 for leaf in keras.tree.flatten(arrays)):
            raise ValueError(f"batch {self._count} holds a number that is none of its examples")
        cast: Arrays = keras.tree.map_structure(
            lambda array, like: array.astype(like.dtype, copy=False), arrays, first
        )
        return cast


def _structure(arrays: Arrays) -> Any:
    return keras.tree.map_structure(lambda array: (array.shape[1:], array.dtype.name), arrays)


def _are_alike(arrays: Arrays, first: Arrays) -> bool:
    """Return whether a batch has the shapes of the first one and can be cast to its types."""
    structures = [keras.tree.map_structure(lambda _: 0, batch) for batch in (arrays, first)]
    pairs = zip(keras.tree.flatten(arrays), keras.tree.flatten(first), strict=False)
    return structures[0] == structures[1] and all(
        array.shape[1:] == like.shape[1:] and _can_cast(array.dtype, like.dtype)
        for array, like in pairs
    )


def _can_cast(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Return whether a cast keeps the meaning of numbers: it cuts off no fraction."""
    are_integers = source.kind in "iu" and target.kind in "iu"
    return are_integers or np.can_cast(source, target, "same_kind")
