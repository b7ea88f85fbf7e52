"""Chunks of batches from a dataset, a generator or a PyDataset.

Keras' own adapters define what a batch is; here batches are only laid one after the other. The
user's order, batch sizes and augmentation stay as they are.
"""

import time
from collections.abc import Generator, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.chunks import (
    Chunk,
    cut_rows,
    pack,
    prefetch,
)


def check_batch_spec(spec: Any) -> None:
    """Check that batches can be laid one after the other.

    Args:
        spec: TensorFlow's description of a batch.

    Raises:
        ObstacleError: if they cannot.
    """
    for leaf in keras.tree.flatten(spec):
        if not isinstance(leaf, tf.TensorSpec):
            kind = type(leaf).__name__.removesuffix("Spec")
            raise ObstacleError(f"a batch holds a {kind}")
        if leaf.shape.rank is None or None in leaf.shape[1:]:
            raise ObstacleError(f"examples have no fixed shape ({leaf.shape})")
        if leaf.shape.rank == 0:
            message = "a batch holds a number that is none of its examples"
            raise ObstacleError(f"{message} (is .batch(...) missing?)")
        if leaf.dtype in (tf.string, tf.variant, tf.resource):
            raise ObstacleError(f"a batch holds {leaf.dtype.name}s")


def as_arrays(batch: Any) -> Arrays:
    """Return a batch as a tuple: (x,), (x, y) or (x, y, sample_weight)."""
    return batch if isinstance(batch, tuple) else (batch,)


def bytes_per_example(spec: Any) -> int:
    """Return the bytes of an example."""
    leaves = keras.tree.flatten(spec)
    return int(sum(np.prod(leaf.shape[1:], dtype=int) * leaf.dtype.size for leaf in leaves))


def rows_per_chunk(spec: Any, size: int | None, count: int | None, settings: EngineSettings) -> int:
    """Return the rows of a chunk; whole batches where their size is known.

    A chunk is small: while it is made, by something slow, nothing is trained.

    Args:
        spec: TensorFlow's description of a batch.
        size: the examples of a batch, or None where they are unknown.
        count: the number of batches, or None.
        settings: the thresholds of the engine.
    """
    max_rows = max(1, settings.chunk_bytes // max(1, bytes_per_example(spec)))
    if size is None:
        return int(min(settings.unknown_size_rows, 2 ** int(np.log2(max_rows))))
    steps = min(
        settings.chunk_steps,
        max(settings.min_chunk_steps, settings.chunk_rows // size),
        max_rows // size,
    )
    return int(max(1, min(steps, count or steps)) * size)


def rows_of_batches(
    dataset: tf.data.Dataset, usual: int, size: int | None, needed: int | None
) -> tf.data.Dataset:
    """Return the rows of batches, so many at a time; TensorFlow prepares the next ones meanwhile.

    Args:
        dataset: of batches.
        usual: rows of a chunk.
        size: that of all batches, where it is known.
        needed: batches that are needed at the most, or None: all of them.
    """
    taken = dataset.take(-1 if needed is None else needed)
    # To tell sizes takes a call for every batch, half the speed of a dataset that does nothing.
    tagged = taken.map(_without_sizes if size else _with_sizes)
    return tagged.rebatch(usual).prefetch(1)


def guaranteed_batch_size(spec: Any) -> int | None:
    """Return the examples of every batch, where TensorFlow itself guarantees one number; or None.

    Args:
        spec: what a batch looks like.
    """
    sizes = {leaf.shape[0] for leaf in keras.tree.flatten(spec)}
    return sizes.pop() if len(sizes) == 1 else None


def chunks_of_dataset(
    rows_and_sizes: tf.data.Dataset, usual: int, size: int | None
) -> Generator[Chunk]:
    """Yield batches in chunks.

    Args:
        rows_and_sizes: what `in_rows` returned.
        usual: rows of a chunk.
        size: that of all batches, where it is known.

    Raises:
        ValueError: if the batches were not of that size.
    """
    rest: list[tuple[Arrays, Any]] = []
    room = 0
    for arrays, *told in rows_and_sizes:
        count = len(keras.tree.flatten(arrays)[0])
        rest.append((arrays, told[0].numpy() if told else np.full(count, size)))
        room = room or chunk_capacity(usual, int(rest[0][1].max()))
        chunk, rest = _whole_batches(rest, room)
        if chunk is not None:
            yield chunk
    if rest:
        raise ValueError(f"the last batch has fewer than the {size} examples that x says it has")


def chunk_capacity(usual: int, size: int) -> int:
    """Return the rows of a chunk that whole batches of one size always fit into.

    Args:
        usual: rows that are collected, at least.
        size: examples of a batch; what a chunk leaves over comes before the rows of the next one.
    """
    return usual + size if usual % size else usual


def _padded(rows: int, room: int) -> int:
    """Return a multiple of a room: few different shapes, for each is compiled for.

    What a chunk is filled up with is memory that nobody touches.
    """
    return -(-rows // room) * room


def _without_sizes(*batch: Any) -> tuple[Arrays]:
    """Return a batch; what only hands things on costs nothing."""
    return (batch,)


def _with_sizes(*batch: Any) -> tuple[Arrays, tf.Tensor]:
    """Return a batch, and for every row of it how many rows the batch has."""
    count = tf.shape(keras.tree.flatten(batch)[0])[0]
    return batch, tf.fill([count], count)


def _whole_batches(
    parts: list[tuple[Arrays, Any]], room: int
) -> tuple[Chunk | None, list[tuple[Arrays, Any]]]:
    """Return the whole batches of some rows as a chunk, and the rows that are left over."""
    told = np.concatenate([sizes for _, sizes in parts])
    sizes, end = list[int](), 0
    while end < len(told) and end + told[end] <= len(told):
        sizes.append(int(told[end]))
        end += sizes[-1]
    if not sizes:
        return None, parts
    arrays, last = parts[-1]
    kept = len(last) - (len(told) - end)
    filled = _padded(end, room)
    used = [each for each, _ in parts[:-1]] + [cut_rows(arrays, 0, kept)]
    left = [(cut_rows(arrays, kept, len(last)), last[kept:])] if kept < len(last) else []
    if len(used) == 1 and kept == filled:
        return Chunk(arrays, sizes), left  # as it is, without a copy
    return Chunk(pack(used, filled), sizes), left


def chunks_of_iterator(batches: Iterator[Any], usual: int, seconds: float) -> Generator[Chunk]:
    """Yield the batches of an iterator of Python's in chunks; a thread prepares the next one.

    Args:
        batches: the batches; what it raises is raised here.
        usual: rows of a chunk.
        seconds: the time after which a chunk ends, however few rows it has.
    """
    return prefetch(_ChunkMaker(batches, usual, seconds))


class _ChunkMaker:
    """Makes chunks of batches that Python yields."""

    def __init__(self, batches: Iterator[Any], usual: int, seconds: float) -> None:
        self._batches, self._usual, self._seconds = batches, usual, seconds
        self._first: Arrays | None = None
        self._count = self._room = 0
        self._error: Exception | None = None

    def __call__(self) -> Chunk | None:
        """Return the next chunk, or None at the end."""
        parts, sizes, end = list[Arrays](), list[int](), time.monotonic() + self._seconds
        while sum(sizes) < self._usual and (not sizes or time.monotonic() < end):
            try:
                batch = self._next()
            except Exception as error:  # raised once what came before is trained on
                self._error = error
                break
            if batch is None:
                break
            if size := len(keras.tree.flatten(batch)[0]):
                parts.append(batch)
                sizes.append(size)
        if self._error is not None and not parts:
            raise self._error
        if not parts:
            return None
        self._room = self._room or chunk_capacity(self._usual, max(sizes))
        return Chunk(pack(parts, _padded(sum(sizes), self._room)), sizes)

    def _next(self) -> Arrays | None:
        if self._error is not None:
            return None
        batch = next(self._batches, None)
        return None if batch is None else self._checked(as_arrays(batch))

    def _checked(self, batch: Arrays) -> Arrays:
        """Return a copy of a batch, in the types of the first one, as Keras does.

        A copy, because whoever yields it may fill the same memory with the next one.

        Raises:
            ValueError: if it looks other than the first one.
        """
        self._count += 1
        arrays: Arrays = keras.tree.map_structure(np.array, batch)
        self._first = first = self._first or arrays
        lengths = {len(each) if each.ndim else 1 for each in keras.tree.flatten(arrays)}
        if not _are_alike(arrays, first):
            told = f"looks like {_structure(arrays)}, the first one like {_structure(first)}"
            raise ValueError(f"batch {self._count} {told}; all must be alike")
        if len(lengths) != 1:
            raise ValueError(f"batch {self._count} has arrays of {sorted(lengths)} examples")
        same: Arrays = keras.tree.map_structure(
            lambda array, like: array.astype(like.dtype, copy=False), arrays, first
        )
        return same


def _structure(arrays: Arrays) -> Any:
    return keras.tree.map_structure(lambda array: (array.shape[1:], array.dtype.name), arrays)


def _are_alike(arrays: Arrays, first: Arrays) -> bool:
    """Tell whether a batch can take the types of the first one, and has its shapes."""
    one, other = (keras.tree.map_structure(lambda _: 0, each) for each in (arrays, first))
    pairs = zip(keras.tree.flatten(arrays), keras.tree.flatten(first), strict=False)
    return one == other and all(
        array.shape[1:] == like.shape[1:] and _takes_type(array.dtype, like.dtype)
        for array, like in pairs
    )


def _takes_type(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Tell whether numbers keep what they mean in another type: no fraction is cut off."""
    whole = given.kind in "iu" and wanted.kind in "iu"
    return whole or np.can_cast(given, wanted, "same_kind")
