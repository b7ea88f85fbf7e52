"""Chunks: some steps' worth of data on the device, one in use while the next one is prepared."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.device import aligned, in_place
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.source import Block, rows_of_steps, steps_per_block
from kerasbatch.types import Array

CHUNK_BYTES = 2**26
"""Bytes of a chunk, about; two of them lie in memory at a time."""
CHUNK_STEPS = 512
"""Steps that a chunk holds at the most: what it costs to begin one is nothing beside them."""


@dataclass(frozen=True)
class Chunk:
    """Whole batches, one after the other.

    Args:
        arrays: their examples on the device, and then rows that mean nothing, so that the number
            of rows is always the same.
        sizes: how many examples each batch has.
        tags: the tags of the rows, or None where examples have none.
        doubtful: as in `Block`.
    """

    arrays: Arrays
    sizes: list[int]
    tags: tf.Tensor | None = None
    doubtful: bool = False


def steps_per_chunk(bytes_of_one: int, size: int, limit: int = CHUNK_BYTES) -> int:
    """Return how many steps a chunk holds.

    Args:
        bytes_of_one: of one example.
        size: the batch size.
        limit: bytes of a chunk, about.
    """
    return max(1, min(CHUNK_STEPS, limit // max(1, bytes_of_one * size)))


def cut_rows(arrays: Arrays, first: int, end: int) -> Arrays:
    """Return the rows of arrays from `first` up to `end`."""
    some: Arrays = keras.tree.map_structure(lambda array: array[first:end], arrays)
    return some


def pack(parts: Sequence[Arrays], rows: int) -> Arrays:
    """Return arrays one after the other on the device, filled up to so many rows.

    Args:
        parts: arrays of the same structure.
        rows: at least as many as all parts have.
    """
    together: Arrays = keras.tree.map_structure(lambda *each: _pack_arrays(each, rows), *parts)
    return together


def _pack_arrays(parts: Sequence[Any], rows: int) -> tf.Tensor:
    arrays = [np.asarray(part) for part in parts]
    memory = aligned((rows, *arrays[0].shape[1:]), arrays[0].dtype)
    np.concatenate(arrays, out=memory[: sum(map(len, arrays))])
    return in_place(memory)


def prefetch(make: Callable[[], Chunk | None]) -> Generator[Chunk]:
    """Yield chunks until there is none; a thread prepares the next one while one is in use.

    What `make` raises is raised here.
    """
    with ThreadPoolExecutor(1, "kerasbatch-chunks") as thread:
        waiting = thread.submit(make)
        while (chunk := waiting.result()) is not None:
            waiting = thread.submit(make)
            yield chunk


class ChunkSteps:
    """The steps of chunks, in their order.

    Args:
        chunks: the chunks.
        taken: steps of the run that were taken before.
        size: the usual batch size; 0 for that of most batches of the first chunk.
        most: the steps that a block holds; 0 for as many as a chunk has room for.
    """

    def __init__(
        self, chunks: Generator[Chunk], taken: int = 0, size: int = 0, most: int = 0
    ) -> None:
        self._chunks, self._taken = chunks, taken
        self._chunk: Chunk | None = None
        self._at = self._row = 0
        self.size, self.most = size, most

    def peek(self) -> Chunk | None:
        """Return the chunk of the next step; None where there is none."""
        while self._chunk is None or self._at == len(self._chunk.sizes):
            self._chunk = next(self._chunks, None)
            self._at = self._row = 0
            if self._chunk is None:
                return None
            if not self.size:
                self.size = max(set(self._chunk.sizes), key=self._chunk.sizes.count)
                room = len(keras.tree.flatten(self._chunk.arrays)[0])
                self.most = steps_per_block(self.size, room // self.size)
        return self._chunk

    def next(self, most: int) -> Block | None:
        """Return the next steps, at most so many, or None at the end."""
        if (chunk := self.peek()) is None:
            return None
        size = int(chunk.sizes[self._at])
        whole = size == self.size
        steps = self._alike(chunk.sizes, min(most, self.most)) if whole else 1
        chosen = np.arange(self._row, self._row + steps * size)
        self._at, self._row = self._at + steps, self._row + steps * size
        self._taken += steps
        return self.block(chunk, rows_of_steps(chosen, self.most if whole else 1, size), steps)

    def _alike(self, sizes: Sequence[int], most: int) -> int:
        """Return how many batches from here on have the usual size."""
        coming = np.asarray(sizes[self._at : self._at + most])
        other = np.flatnonzero(coming != self.size)
        return int(other[0]) if len(other) else len(coming)

    def block(self, chunk: Chunk, indices: Array, steps: int) -> Block:
        """Return steps over the rows of a chunk."""
        tags = chunk.tags
        if tags is None:
            tags = tf.zeros(len(keras.tree.flatten(chunk.arrays)[0]), tf.int64)
        whole = indices.shape[1] == self.size
        return Block(chunk.arrays, tags, indices, steps, whole, chunk.doubtful)

    def taken(self) -> int:
        """Return the steps of the run up to here."""
        return self._taken

    def close(self) -> None:
        """End the thread that prepares chunks."""
        self._chunks.close()
