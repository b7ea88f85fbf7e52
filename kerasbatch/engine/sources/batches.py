"""Chunks of batches from a dataset, a generator or a PyDataset.

Keras' own adapters define the batches; this module only concatenates them. The order, the batch
sizes and the augmentation of the user are unchanged.
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
    """Check that batches can be concatenated.

    Args:
        spec: TensorFlow's spec of a batch.

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
    """Return the rows of a chunk; complete batches if their size is known.

    A chunk is small, because training waits for the first one, which may be slow.

    Args:
        spec: TensorFlow's spec of a batch.
        size: the examples of a batch, or None if unknown.
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
    """Return the rows of batches in groups of equal length, with prefetching.

    Args:
        dataset: a dataset of batches.
        usual: the rows of a chunk.
        size: the size of all batches, or None if unknown.
        needed: the largest number of batches, or None for all.
    """
    batches = dataset.take(-1 if needed is None else needed)
    # Sizes need a call per batch, which halves the speed of a dataset without any other work.
    rows = batches.map(_without_sizes if size else _with_sizes)
    return rows.rebatch(usual).prefetch(1)


def guaranteed_batch_size(spec: Any) -> int | None:
    """Return the size of all batches if TensorFlow guarantees one, or None.

    Args:
        spec: TensorFlow's spec of a batch.
    """
    sizes = {leaf.shape[0] for leaf in keras.tree.flatten(spec)}
    return sizes.pop() if len(sizes) == 1 else None


def chunks_of_dataset(
    rows_and_sizes: tf.data.Dataset, usual: int, size: int | None
) -> Generator[Chunk]:
    """Yield batches in chunks.

    Args:
        rows_and_sizes: the result of `rows_of_batches`.
        usual: the rows of a chunk.
        size: the size of all batches, or None if unknown.

    Raises:
        ValueError: if the batches are not of this size.
    """
    rest: list[tuple[Arrays, Any]] = []
    room = 0
    for arrays, *sizes in rows_and_sizes:
        count = len(keras.tree.flatten(arrays)[0])
        rest.append((arrays, sizes[0].numpy() if sizes else np.full(count, size)))
        room = room or chunk_capacity(usual, int(rest[0][1].max()))
        chunk, rest = _split_complete(rest, room)
        if chunk is not None:
            yield chunk
    if rest:
        raise ValueError(f"the last batch has fewer than the {size} examples that x says it has")


def chunk_capacity(usual: int, size: int) -> int:
    """Return the rows of a chunk with room for complete batches of one size.

    Args:
        usual: the smallest number of collected rows.
        size: the examples of a batch; rows of an incomplete one move to the next chunk.
    """
    return usual + size if usual % size else usual


def _round_up(rows: int, room: int) -> int:
    """Round rows up to a multiple of a room, because every new shape compiles again.

    The padding costs no time, because its memory is never touched.
    """
    return -(-rows // room) * room


def _without_sizes(*batch: Any) -> tuple[Arrays]:
    """Return a batch without sizes; a pure pass-through costs nothing."""
    return (batch,)


def _with_sizes(*batch: Any) -> tuple[Arrays, tf.Tensor]:
    """Return a batch and, for each of its rows, the number of rows of the batch."""
    count = tf.shape(keras.tree.flatten(batch)[0])[0]
    return batch, tf.fill([count], count)


def _split_complete(
    parts: list[tuple[Arrays, Any]], room: int
) -> tuple[Chunk | None, list[tuple[Arrays, Any]]]:
    """Return the complete batches of some rows as a chunk, and the remaining rows."""
    row_sizes = np.concatenate([sizes for _, sizes in parts])
    sizes, end = list[int](), 0
    while end < len(row_sizes) and end + row_sizes[end] <= len(row_sizes):
        sizes.append(int(row_sizes[end]))
        end += sizes[-1]
    if not sizes:
        return None, parts
    arrays, last = parts[-1]
    kept = len(last) - (len(row_sizes) - end)
    padded = _round_up(end, room)
    used = [part for part, _ in parts[:-1]] + [cut_rows(arrays, 0, kept)]
    rest = [(cut_rows(arrays, kept, len(last)), last[kept:])] if kept < len(last) else []
    if len(used) == 1 and kept == padded:
        return Chunk(arrays, sizes), rest  # without a copy
    return Chunk(pack(used, padded), sizes), rest


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

    def __call__(self) -> Chunk | None:
        """Return the next chunk, or None at the end."""
        parts, sizes, end = list[Arrays](), list[int](), time.monotonic() + self._seconds
        while sum(sizes) < self._usual and (not sizes or time.monotonic() < end):
            try:
                batch = self._next()
            except Exception as error:  # raised after the training on earlier batches
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
        return Chunk(pack(parts, _round_up(sum(sizes), self._room)), sizes)

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
        lengths = {len(leaf) if leaf.ndim else 1 for leaf in keras.tree.flatten(arrays)}
        if not _are_alike(arrays, first):
            message = f"looks like {_structure(arrays)}, the first one like {_structure(first)}"
            raise ValueError(f"batch {self._count} {message}; all must be alike")
        if len(lengths) != 1:
            raise ValueError(f"batch {self._count} has arrays of {sorted(lengths)} examples")
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
