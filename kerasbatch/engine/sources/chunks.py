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


@dataclass(frozen=True)
class Chunk:
    """Whole batches, one after the other.

    Args:
        arrays: their examples on the device, and then rows that mean nothing, so that the number
            of rows is always the same.
        sizes: how many examples each batch has.
        tags: the tags of the rows, or None where examples have none.
        invalid_index: as in `Block`.
    """

    arrays: Arrays
    sizes: list[int]
    tags: tf.Tensor | None = None
    invalid_index: bool = False


def steps_per_chunk(example_bytes: int, size: int, chunk_bytes: int, chunk_steps: int) -> int:
    """Return the number of steps in a chunk.

    Args:
        example_bytes: the bytes of one example.
        size: the batch size.
        chunk_bytes: the bytes of a chunk, about.
        chunk_steps: the largest number of steps.
    """
    return max(1, min(chunk_steps, chunk_bytes // max(1, example_bytes * size)))


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
        max_steps: the steps that a block holds; 0 for as many as a chunk has room for.
    """

    def __init__(
        self, chunks: Generator[Chunk], taken: int = 0, size: int = 0, max_steps: int = 0
    ) -> None:
        self._chunks, self._taken = chunks, taken
        self._chunk: Chunk | None = None
        self._at = self._row = 0
        self.size, self.max_steps = size, max_steps

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
                self.max_steps = steps_per_block(self.size, room // self.size)
        return self._chunk

    def next(self, max_steps: int) -> Block | None:
        """Return the next steps, at most so many, or None at the end."""
        if (chunk := self.peek()) is None:
            return None
        size = int(chunk.sizes[self._at])
        whole = size == self.size
        steps = self._alike(chunk.sizes, min(max_steps, self.max_steps)) if whole else 1
        chosen = np.arange(self._row, self._row + steps * size)
        self._at, self._row = self._at + steps, self._row + steps * size
        self._taken += steps
        return self.block(chunk, rows_of_steps(chosen, self.max_steps if whole else 1, size), steps)

    def _alike(self, sizes: Sequence[int], max_steps: int) -> int:
        """Return how many batches from here on have the usual size."""
        coming = np.asarray(sizes[self._at : self._at + max_steps])
        other = np.flatnonzero(coming != self.size)
        return int(other[0]) if len(other) else len(coming)

    def block(self, chunk: Chunk, indices: Array, steps: int) -> Block:
        """Return steps over the rows of a chunk."""
        tags = chunk.tags
        if tags is None:
            tags = tf.zeros(len(keras.tree.flatten(chunk.arrays)[0]), tf.int64)
        whole = indices.shape[1] == self.size
        return Block(chunk.arrays, tags, indices, steps, whole, chunk.invalid_index)

    def taken(self) -> int:
        """Return the steps of the run up to here."""
        return self._taken

    def close(self) -> None:
        """End the thread that prepares chunks."""
        self._chunks.close()
