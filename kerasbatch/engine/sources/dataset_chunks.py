"""Chunks of batches from a tf.data.Dataset.

The dataset defines the batches; this module only concatenates them. The order, the batch sizes and
the augmentation of the user are unchanged.
"""

from collections.abc import Generator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.chunks import Chunk, chunk_capacity, cut_rows, pack, round_up
from kerasbatch.types import Array


def rows_of_batches(
    dataset: tf.data.Dataset,
    usual: int,
    size: int | None,
    needed: int | None,
    may_be_uneven: bool = False,
) -> tf.data.Dataset:
    """Return the rows of batches in groups of equal length, with prefetching.

    Args:
        dataset: a dataset of batches.
        usual: the rows of a chunk.
        size: the size of all batches, or None if unknown.
        needed: the largest number of batches, or None for all.
        may_be_uneven: whether the arrays of a batch may have different lengths.
    """
    batches = dataset.take(-1 if needed is None else needed)
    # Sizes need a call per batch, which halves the speed of a dataset without any other work.
    with_sizes = _with_lengths if may_be_uneven else _with_sizes
    rows = batches.map(_without_sizes if size else with_sizes)
    return rows.rebatch(usual).prefetch(1)


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
        rest.append((arrays, sizes[0].numpy() if sizes else np.full((count, 1), size)))
        room = room or chunk_capacity(usual, max(1, int(rest[0][1].max())))
        chunk, rest = _split_complete(rest, room)
        while chunk is not None:
            yield chunk
            chunk, rest = _split_complete(rest, room)
    if rest:
        raise ValueError(f"the last batch has fewer than the {size} examples that x says it has")


def _without_sizes(*batch: Any) -> tuple[Arrays]:
    """Return a batch without sizes; a pure pass-through costs nothing."""
    return (batch,)


def _with_sizes(*batch: Any) -> tuple[Arrays, tf.Tensor]:
    """Return a batch and, for each of its rows, the number of rows of the batch."""
    count = tf.shape(keras.tree.flatten(batch)[0])[0]
    return batch, tf.fill([count, 1], count)


def _with_lengths(*batch: Any) -> tuple[Arrays, tf.Tensor]:
    """Return a batch and, for each of its rows, the lengths of all arrays of the batch.

    Shorter arrays are padded, because rows can only be grouped again if all have the same number;
    a batch without examples gets one row, because it is a step for Keras.
    The condition takes 4 to 6 % of the speed of a dataset of small batches.
    """
    lengths = tf.stack([tf.shape(leaf)[0] for leaf in keras.tree.flatten(batch)])
    rows = tf.maximum(tf.reduce_max(lengths), 1)
    even = tf.cond(
        tf.reduce_all(lengths == rows),
        lambda: batch,
        lambda: keras.tree.map_structure(lambda leaf: _padded(leaf, rows), batch),
    )
    return even, tf.broadcast_to(lengths, (rows, len(lengths)))


def _padded(array: Any, rows: Any) -> Any:
    missing = rows - tf.shape(array)[0]
    return tf.pad(array, [(0, missing)] + [(0, 0)] * (array.shape.rank - 1))


def _split_complete(
    parts: list[tuple[Arrays, Any]], room: int
) -> tuple[Chunk | None, list[tuple[Arrays, Any]]]:
    """Return the first complete batches of some rows as a chunk, and the remaining rows."""
    if not parts:
        return None, parts
    lengths = np.concatenate([lengths for _, lengths in parts])
    sizes = _complete_sizes(np.maximum(lengths.max(axis=1), 1), lengths.min(axis=1))
    if not sizes:
        return None, parts
    used, rest = _cut_parts(parts, end := sum(sizes))
    if len(set(lengths[0])) > 1 or not lengths[0].any():
        return Chunk(_cut_arrays(pack(used, end), lengths[0]), sizes, is_uneven=True), rest
    padded = round_up(end, room)
    if len(used) == 1 and end == padded:
        return Chunk(used[0], sizes), rest  # without a copy
    return Chunk(pack(used, padded), sizes), rest


def _complete_sizes(longest: Array, shortest: Array) -> list[int]:
    """Return the sizes of the first complete batches, up to one that stands alone, or that one.

    Args:
        longest: for each row, the rows of its batch: the length of its longest array, or 1.
        shortest: the same for the shortest one.
    """
    sizes, end = list[int](), 0
    while end < len(longest) and end + longest[end] <= len(longest):
        if shortest[end] < longest[end]:
            return sizes or [int(longest[end])]
        sizes.append(int(longest[end]))
        end += sizes[-1]
    return sizes


def _cut_parts(
    parts: list[tuple[Arrays, Any]], end: int
) -> tuple[list[Arrays], list[tuple[Arrays, Any]]]:
    """Return the first rows of parts, and the parts of the others."""
    used, rest = list[Arrays](), list[tuple[Arrays, Any]]()
    for arrays, lengths in parts:
        kept = min(end, len(lengths))
        end -= kept
        if kept:
            used.append(arrays if kept == len(lengths) else cut_rows(arrays, 0, kept))
        if kept < len(lengths):
            rest.append((cut_rows(arrays, kept, len(lengths)), lengths[kept:]))
    return used, rest


def _cut_arrays(arrays: Arrays, lengths: Array) -> Arrays:
    """Return arrays, each cut to its own length."""
    leaves = keras.tree.flatten(arrays)
    cut = [leaf[:length] for leaf, length in zip(leaves, lengths, strict=True)]
    packed: Arrays = keras.tree.pack_sequence_as(arrays, cut)
    return packed
