"""Chunks of data on the device, for several steps; one is in use while the next is prepared."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import keras
import numpy as np

from kerasbatch.engine.backend import backend
from kerasbatch.engine.blocks import Block
from kerasbatch.engine.device import aligned, in_place
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.source import rows_of_steps, steps_per_block
from kerasbatch.types import Array

Item = TypeVar("Item")


@dataclass(frozen=True)
class Chunk:
    """Complete batches, concatenated.

    Args:
        arrays: the examples on the device, padded to a constant number of rows.
        sizes: the number of examples of each batch.
        tags: the tags of the rows, or None if examples have no tags.
        is_uneven: whether it is one batch, of arrays of different lengths or empty ones, without
            padding.
    """

    arrays: Arrays
    sizes: list[int]
    tags: Any = None
    is_uneven: bool = False


def steps_per_chunk(example_bytes: int, size: int, chunk_bytes: int, chunk_steps: int) -> int:
    """Return the number of steps in a chunk.

    Args:
        example_bytes: the bytes of one example.
        size: the batch size.
        chunk_bytes: the approximate bytes of a chunk.
        chunk_steps: the largest number of steps.
    """
    return max(1, min(chunk_steps, chunk_bytes // max(1, example_bytes * size)))


def cut_rows(arrays: Arrays, first: int, end: int) -> Arrays:
    """Return the rows of arrays from `first` up to `end`."""
    rows: Arrays = keras.tree.map_structure(lambda array: array[first:end], arrays)
    return rows


def pack(parts: Sequence[Arrays], rows: int) -> Arrays:
    """Return concatenated arrays on the device, padded to a number of rows.

    Args:
        parts: arrays of the same structure.
        rows: the number of rows of the result, at least that of all parts together.
    """
    packed: Arrays = keras.tree.map_structure(lambda *arrays: _pack_arrays(arrays, rows), *parts)
    return packed


def _pack_arrays(parts: Sequence[Any], rows: int) -> Any:
    arrays = [np.asarray(part) for part in parts]
    memory = aligned((rows, *arrays[0].shape[1:]), arrays[0].dtype)
    np.concatenate(arrays, out=memory[: sum(map(len, arrays))])
    return in_place(memory)


def prefetch(make: Callable[[], Item | None]) -> Generator[Item]:
    """Yield what `make` returns until it is None; a thread prepares the next one.

    Exceptions of `make` are raised here.
    """
    with ThreadPoolExecutor(1, "kerasbatch-prefetch") as thread:
        future = thread.submit(make)
        while (item := future.result()) is not None:
            future = thread.submit(make)
            yield item


class ChunkSteps:
    """The steps of chunks, in their order.

    Args:
        chunks: the chunks.
        taken: the earlier steps of the run.
        size: the usual batch size; 0 for the most frequent one of the first chunk.
        max_steps: the largest number of steps in a block; 0 for the capacity of a chunk.
    """

    def __init__(
        self, chunks: Generator[Chunk], taken: int = 0, size: int = 0, max_steps: int = 0
    ) -> None:
        self._chunks, self._taken = chunks, taken
        self._chunk: Chunk | None = None
        self._step = self._row = 0
        self.size, self.max_steps = size, max_steps

    def peek(self) -> Chunk | None:
        """Return the chunk of the next step, or None at the end."""
        while self._chunk is None or self._step == len(self._chunk.sizes):
            self._chunk = next(self._chunks, None)
            self._step = self._row = 0
            if self._chunk is None:
                return None
            if not self.size and not self._chunk.is_uneven:
                self.size = max(set(self._chunk.sizes), key=self._chunk.sizes.count)
                room = len(keras.tree.flatten(self._chunk.arrays)[0])
                self.max_steps = steps_per_block(self.size, room // self.size)
        return self._chunk

    def next(self, max_steps: int) -> Block | None:
        """Return at most `max_steps` next steps, or None at the end."""
        if (chunk := self.peek()) is None:
            return None
        size = int(chunk.sizes[self._step])
        is_usual = size == self.size and not chunk.is_uneven
        steps = self._usual_batches(chunk.sizes, min(max_steps, self.max_steps)) if is_usual else 1
        chosen = np.arange(self._row, self._row + steps * size)
        self._step, self._row = self._step + steps, self._row + steps * size
        self._taken += steps
        rows = rows_of_steps(chosen, self.max_steps if is_usual else 1, size)
        return self.block(chunk, rows, steps)

    def _usual_batches(self, sizes: Sequence[int], max_steps: int) -> int:
        """Return the number of consecutive batches of the usual size, from the next one on."""
        next_sizes = np.asarray(sizes[self._step : self._step + max_steps])
        other = np.flatnonzero(next_sizes != self.size)
        return int(other[0]) if len(other) else len(next_sizes)

    def block(self, chunk: Chunk, indices: Array, steps: int) -> Block:
        """Return a block of steps over the rows of a chunk."""
        tags = chunk.tags
        if tags is None:
            rows = max(1, *map(len, keras.tree.flatten(chunk.arrays)))
            tags = backend().tags(np.zeros(rows, np.int64))
        is_usual = indices.shape[1] == self.size and not chunk.is_uneven
        return Block(chunk.arrays, tags, indices, steps, is_usual, chunk.is_uneven)

    def taken(self) -> int:
        """Return the number of steps of the run so far."""
        return self._taken

    def close(self) -> None:
        """End the thread that prepares chunks."""
        self._chunks.close()


def chunk_capacity(usual: int, size: int) -> int:
    """Return the rows of a chunk with room for complete batches of one size.

    Args:
        usual: the smallest number of collected rows.
        size: the examples of a batch; rows of an incomplete one move to the next chunk.
    """
    return usual + size if usual % size else usual


def round_up(rows: int, room: int) -> int:
    """Round rows up to a multiple of a room, because every new shape compiles again.

    The padding costs no time, because its memory is never touched.
    """
    return -(-rows // room) * room
